#!/bin/sh
# Retrieves a token by user name and password, uses it, and revokes it, with curl.
set -eu
token=$(curl -sS --fail -X POST -u "$LOGIN:$PASSWORD" "$CONSOLE/api/v1/auth_token" | sed -E 's/.*"auth_token":"([^"]+)".*/\1/')
products() { curl -sS -o /dev/null -w '%{http_code}\n' -H "Authorization: Token $token" "$SHOP/api/products/"; }

sleep 1 # nginx learns of every change within milliseconds
products
curl -sS --fail -H "Authorization: Token $token" --data-urlencode "token=$token" "$CONSOLE/oauth/revoke"
sleep 1
products
