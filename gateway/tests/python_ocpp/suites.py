"""Which TLS suites a server takes. Arguments: port, file of the authority's certificate."""

import socket
import ssl
import sys

port, authority = int(sys.argv[1]), sys.argv[2]


def attempt(name, suites=None):
    context = ssl.create_default_context(cafile=authority)
    if suites:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(suites)
    else:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
            with context.wrap_socket(plain, server_hostname="localhost"):
                print(f"{name}: fine")
    except ssl.SSLError:
        print(f"{name}: refused")


for suite in ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"]:
    attempt(suite, suite)
attempt("TLS 1.3")
