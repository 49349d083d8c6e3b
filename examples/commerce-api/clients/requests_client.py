#!/usr/bin/env python3
"""Retrieves a token by user name and password, uses it, and revokes it, with requests."""

import os
import time

import requests

console, shop = os.environ["CONSOLE"], os.environ["SHOP"]

answer = requests.post(
    console + "/api/v1/auth_token",
    json={"username": os.environ["LOGIN"], "password": os.environ["PASSWORD"]},
    timeout=10,
)
answer.raise_for_status()
token = answer.json()["auth_token"]
fields = {"Authorization": "Token " + token}


def products():
    print(requests.get(shop + "/api/products/", headers=fields, timeout=10).status_code)


time.sleep(1)  # nginx learns of every change within milliseconds
products()
requests.post(console + "/oauth/revoke", headers=fields, data={"token": token}, timeout=10).raise_for_status()
time.sleep(1)
products()
