#!/bin/bash
# What the official image documents: BOOTSTRAP_SERVERS, GROUP_ID, CONFIG_STORAGE_TOPIC, OFFSET_STORAGE_TOPIC,
# STATUS_STORAGE_TOPIC, KEY_CONVERTER, VALUE_CONVERTER, OFFSET_FLUSH_INTERVAL_MS, ADVERTISED_HOST_NAME,
# ADVERTISED_PORT, HEAP_OPTS, LOG_LEVEL, and any other property of a worker as CONNECT_..., with _ for its dots.
set -euo pipefail

if [[ ${1:-} != start ]]; then exec "$@"; fi

for needed in GROUP_ID CONFIG_STORAGE_TOPIC OFFSET_STORAGE_TOPIC; do
  if [[ -z ${!needed:-} ]]; then
    echo "The variable $needed must be set." >&2
    exit 1
  fi
done
export CONNECT_BOOTSTRAP_SERVERS=${BOOTSTRAP_SERVERS:-0.0.0.0:9092}
export CONNECT_GROUP_ID=$GROUP_ID
export CONNECT_CONFIG_STORAGE_TOPIC=$CONFIG_STORAGE_TOPIC
export CONNECT_OFFSET_STORAGE_TOPIC=$OFFSET_STORAGE_TOPIC
export CONNECT_STATUS_STORAGE_TOPIC=${STATUS_STORAGE_TOPIC:-connect-status}
export CONNECT_KEY_CONVERTER=${KEY_CONVERTER:-org.apache.kafka.connect.json.JsonConverter}
export CONNECT_VALUE_CONVERTER=${VALUE_CONVERTER:-org.apache.kafka.connect.json.JsonConverter}
export CONNECT_OFFSET_FLUSH_INTERVAL_MS=${OFFSET_FLUSH_INTERVAL_MS:-60000}
export CONNECT_REST_ADVERTISED_HOST_NAME=${ADVERTISED_HOST_NAME:-$(hostname -i)}
export CONNECT_REST_ADVERTISED_PORT=${ADVERTISED_PORT:-8083}

properties=/kafka/config/connect-distributed.properties
: >"$properties"
while IFS='=' read -r -d '' name value; do
  [[ $name == CONNECT_* ]] || continue
  property=${name#CONNECT_}
  property=${property//_/.}
  printf '%s=%s\n' "${property,,}" "$value" >>"$properties"
done < <(env -0)

cat >/kafka/config/log4j2.properties <<EOF
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{ISO8601} %-5p  %X{dbz.connectorType}|%X{dbz.connectorName}|%X{dbz.connectorContext}  %m   [%c]%n
rootLogger.level = ${LOG_LEVEL:-INFO}
rootLogger.appenderRef.stdout.ref = stdout
EOF
read -r -a heap <<<"${HEAP_OPTS:--Xms256M -Xmx2G}"
read -r -a more <<<"${KAFKA_OPTS:-}"
exec java "${heap[@]}" "${more[@]}" -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError --enable-native-access=ALL-UNNAMED \
  -Dlog4j2.configurationFile=/kafka/config/log4j2.properties -cp '/kafka/libs/*' \
  org.apache.kafka.connect.cli.ConnectDistributed "$properties"
