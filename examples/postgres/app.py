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
        count = subprocess.run(psql, check=True, capture_output=True, text=True).stdout.strip()
        body = f"Hello, visit {count}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), App).serve_forever()
