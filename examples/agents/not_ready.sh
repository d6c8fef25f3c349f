#!/bin/sh
# The same agent with curl and jq: GATEWAY_URL, TOKEN_FILE and CA_FILE are in the environment of every attempt.
set -eu

ask() {
  curl --silent --show-error --fail-with-body ${CA_FILE:+--cacert "$CA_FILE"} \
    --header "Authorization: Bearer $(cat "$TOKEN_FILE")" "$@"
}

namespace=$(ask "$GATEWAY_URL/attempt" | jq -r .namespace)

ask --header "X-Turn: 1" "$GATEWAY_URL/apis/apps/v1/namespaces/$namespace/deployments" |
  jq '{entities: [.items[]
        | select((.status.readyReplicas // 0) < (.spec.replicas // 1))
        | {name: "\(.metadata.namespace)/Deployment/\(.metadata.name)"}]}' |
  ask --header "X-Turn: 2" --header "Content-Type: application/json" --data @- "$GATEWAY_URL/submit"
