# Sourced by scripts/demo and t/console/console.t: a registry to look at.

# demo_registry PASSWORD: makes a registry with two organizations with groups, one that is suspended, the system's
# own, people who all have that password, and tokens in every status. Prints each token as NAME=token.
# tokenctl is found in PATH, the registry by TOKEN_AUTH_REGISTRY.
demo_registry() {
    local person
    {
        tokenctl init
        tokenctl import "$(dirname "${BASH_SOURCE[0]}")/demo_registry.jsonl"
        # only this command makes the system's organization
        tokenctl org add --system operations
        tokenctl org set operations --display-name Operations
        tokenctl member add sam operations --role system-admin
        for person in sam carl ann dora gwen; do
            printf '%s\n' "$1" | tokenctl user password "$person"
        done
    } >&2
    demo_tokens
}

# made NAME ACTOR ARGUMENT...: creates a token; sets $id.
made() {
    local token
    token=$(tokenctl --actor "$2" create "${@:3}" 2>/dev/null)
    printf '%s=%s\n' "$1" "$token"
    id=${token#*_}
    id=${id%%.*}
}

demo_tokens() {
    local id
    made EXPIRED carl --org acme --name "Trial import" --role reader --expires 1s
    made ACME carl --org acme --name "Deploy script" --description "Deploys from the build server" --role editor --expires 90d
    made ANN ann --user ann --name "Ann's laptop" --expires 90d
    made NOTEBOOK ann --user ann --name "Notebook" --scope agents:read --expires 30d
    made REPORT carl --org acme --name "Nightly report" --scope agents:read --scope projects:read --expires 30d
    made PENDING carl --org acme --name "Next quarter" --role reader --not-before 30d --expires 120d
    made SCANNER carl --org acme --name "Office scanner" --role reader --allow 192.0.2.0/24 --allow 2001:db8::/32 --expires 5d
    made ADMIN carl --org acme --name "Provisioning" --role admin --expires 7d
    made OLD carl --org acme --name "Old pipeline" --role editor --expires 90d
    tokenctl --actor carl revoke "$id" >&2
    made ROTATED carl --org acme --name "Mail gateway" --role editor --expires 90d
    tokenctl --actor carl rotate --grace 12h "$id" >/dev/null 2>&1
    made ROBOT dora --group acme/research --name "Lab robot" --role group-admin --expires 90d
    made DISPLAY dora --group acme/research --name "Lab display" --role reader --expires 90d
    made CRM carl --group acme/sales --name "CRM export" --role reader --expires 90d
    made GLOBEX gwen --org globex --name "Dashboard" --role reader --expires 90d
    made RETIRE gwen --org globex --name "Retirement service" --description "Retires credits on sale" \
        --scope projects:read --scope retirements:write --expires never
    made DESK gwen --group globex/trading --name "Trading desk" --role editor --expires 60d
    made SUSPENDED sam --org initech --name "Printer" --role reader --expires 90d
    tokenctl --actor sam org suspend initech >&2
}
