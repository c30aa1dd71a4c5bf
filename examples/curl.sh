#!/bin/sh
# Post an event over HTTP: NOTIFIER_TOKEN=nts_… sh curl.sh '{"description": "Disk full", "level": 2}'
#
# The token is a source's: `notifier addsource shop` makes both and prints it. It goes to curl by
# standard input, because `ps` shows everybody the arguments. With a source_event_id a repeat is
# the same event, so trying again (as curl does here, also after 429 and 503) is always safe.
set -eu

event=${1:-'{"description": "Order 4711 is on its way", "recipients": ["anna"], "source_event_id": "order-4711-shipped"}'}

printf 'header = "Authorization: Bearer %s"\n' "$NOTIFIER_TOKEN" |
    curl --config - --silent --show-error --fail-with-body --max-time 30 --retry 5 --retry-connrefused \
        --header 'Content-Type: application/json' --data-raw "$event" \
        "${NOTIFIER_URL:-http://127.0.0.1:8000}/api/v1/events"
