#!/bin/sh
# Retrieves a token by user name and password, uses it, and revokes it, with HTTPie.
set -eu
token=$(http --ignore-stdin --check-status --body POST "$CONSOLE/api/v1/auth_token" username="$LOGIN" password="$PASSWORD" |
    sed -E 's/.*"auth_token": ?"([^"]+)".*/\1/')
products() { http --ignore-stdin --headers "$SHOP/api/products/" "Authorization: Token $token" | sed -n '1s/^[^ ]* \([0-9]*\).*/\1/p'; }

sleep 1 # nginx learns of every change within milliseconds
products
http --ignore-stdin --check-status --form "$CONSOLE/oauth/revoke" "Authorization: Token $token" token="$token"
sleep 1
products
