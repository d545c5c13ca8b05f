"""For the settings.py of a Django project: outgoing calls through the forward front.

Copy what is below to the top of settings.py, or put this file beside it and write
"from .django_settings import *". Django itself makes no outgoing HTTP calls; what
your code calls with requests, httpx, urllib or boto3 reads these variables. Celery
workers and management commands load the same settings, and so do the same.
"""

import os

# The front, with the login that the Caddyfile gives to this app. Nothing is
# overridden: what is set in the environment of the process wins.
_proxy = os.environ.get("PROXY_POOL_URL", "http://127.0.0.1:3128")
os.environ.setdefault("HTTPS_PROXY", _proxy)
os.environ.setdefault("HTTP_PROXY", _proxy)

# What is near must not go through a proxy: this machine, and the services of your
# own network that are spoken to over HTTP (Elasticsearch, S3 and the like). A
# leading dot stands for all names below. Databases and Redis are not HTTP, and
# never go through it.
os.environ.setdefault("NO_PROXY", "localhost,127.0.0.1,::1,.internal,.local")
