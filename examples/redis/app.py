# Counts the requests in redis, with which it speaks by hand.
import http.server
import os
import socket


def count():
    with socket.create_connection(("127.0.0.1", int(os.environ["REDIS_PORT"]))) as redis:
        redis.sendall(b"INCR visits\r\n")
        return int(redis.makefile().readline().lstrip(":"))


class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            status, text = 200, f"Hello, visit {count()}"
        except OSError as error:
            status, text = 503, f"No redis: {error}"
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), App).serve_forever()
