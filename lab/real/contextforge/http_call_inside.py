"""One HTTP request to this network's own loopback: the request as JSON on stdin, the answer as JSON on stdout.

Owns: nothing but that; run by http_call.py inside the VPS's network, with the standard library only.
"""

import http.client
import json
import sys


def main() -> None:
    request = json.load(sys.stdin)
    connection = http.client.HTTPConnection("127.0.0.1", request["port"], timeout=request["limit_seconds"])
    try:
        connection.request(request["method"], request["path"], request["body"], request["headers"])
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    finally:
        connection.close()
    json.dump({"status": answer.status, "body": body}, sys.stdout)


if __name__ == "__main__":
    main()
