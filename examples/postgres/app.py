# Writes each request into a table and answers how many there are, by way of psql.
import http.server
import os
import subprocess

VISIT = """
CREATE TABLE IF NOT EXISTS visits (at timestamptz);
INSERT INTO visits VALUES (now());
SELECT count(*) FROM visits;
"""


class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        psql = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--command", VISIT]
        done = subprocess.run(psql, stdout=subprocess.PIPE, text=True)  # its errors are for the log
        status, text = (200, f"Hello, visit {done.stdout.strip()}") if done.returncode == 0 else (503, "No database")
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), App).serve_forever()
