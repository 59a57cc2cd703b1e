"""What vLLM's processes look like from outside: an API server with an engine process below it.

Run as ``python fake_child.py PORT [fail]``. Unlike vLLM it does not notice when its engine process dies.
"""

from __future__ import annotations

import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        """A stream that begins and never ends."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'data: {"choices": []}\n\n')
        self.wfile.flush()
        time.sleep(3600)

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    if "fail" in sys.argv:
        print("INFO something goes wrong", flush=True)
        print("ValueError: the model is not there", flush=True)
        raise RuntimeError("Engine core initialization failed. See root cause above.")
    subprocess.Popen(["VLLM::EngineCore", "3600"], executable="/bin/sleep")
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()


if __name__ == "__main__":
    main()
