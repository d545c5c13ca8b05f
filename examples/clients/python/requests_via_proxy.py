#!/usr/bin/env python3
"""Call an API with requests through the forward front.

    export HTTPS_PROXY=http://app:secret@127.0.0.1:3128
    export TELEGRAM_BOT_TOKEN=123456:ABC...
    python3 requests_via_proxy.py                       # getMe of the bot
    python3 requests_via_proxy.py https://example.com   # or any URL

requests reads HTTPS_PROXY (for https:// URLs), HTTP_PROXY (for http:// URLs) and
NO_PROXY by itself, so that a program that is there already changes no line. To
name the proxy in the code instead, pass it with --proxy and see call() below.

Prints the status and the body. Exits with 1 where the call failed, or where the
answer is an error.
"""

import argparse
import os
import sys

import requests

# To connect, and to wait for the next byte of the answer, in seconds. The front
# tries several proxies while you wait to connect, so give it time.
TIMEOUT = (30, 60)


def call(url, proxy=None):
    """Answer to a GET. Without a proxy, the environment says which."""
    proxies = {"http": proxy, "https": proxy} if proxy else None
    return requests.get(url, proxies=proxies, timeout=TIMEOUT)


def bot_url():
    """getMe of the bot whose token is in the environment, not in the code."""
    token = os.environ.get("TELEGRAM_BOT_TOKEN")
    if not token:
        sys.exit("set TELEGRAM_BOT_TOKEN, or give a URL")
    return f"https://api.telegram.org/bot{token}/getMe"


def why(error):
    """What went wrong, without the URL: it may hold the token."""
    cause = error.args[0] if error.args else error
    return f"{type(error).__name__}: {getattr(cause, 'reason', 'no answer')}"


def main():
    parser = argparse.ArgumentParser(description="Call an API through the forward front.")
    parser.add_argument("url", nargs="?", help="default: getMe of TELEGRAM_BOT_TOKEN")
    parser.add_argument("--proxy", help="such as http://127.0.0.1:3128; default: HTTPS_PROXY and HTTP_PROXY")
    args = parser.parse_args()
    try:
        answer = call(args.url or bot_url(), args.proxy)
    except requests.RequestException as error:
        sys.exit(why(error))
    print(answer.status_code)
    print(answer.text)
    return 0 if answer.ok else 1


if __name__ == "__main__":
    sys.exit(main())
