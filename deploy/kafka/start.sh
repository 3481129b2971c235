#!/bin/sh
# Runs one Apache Kafka broker in the foreground; fetches it with Maven on the first run.
#
#   deploy/kafka/start.sh [--fetch-only]
#
#   KAFKA_HOST             address to listen on          127.0.0.1
#   KAFKA_PORT             port for clients              9092
#   KAFKA_CONTROLLER_PORT  port for the controller       KAFKA_PORT + 1
#   KAFKA_DATA             data directory                $VEDETTE_CACHE/kafka/data-KAFKA_PORT
#   KAFKA_EXTRA            file with more properties     none
#   KAFKA_HEAP             heap of the broker            512m
#   KAFKA_JAVA_OPTIONS     more options for Java         none
#   VEDETTE_CACHE          where the broker is kept      $HOME/.cache/vedette
set -eu

version=4.1.1
sha256=e89428126cc7630a802123ba27aac4442816840b66d60670226feaff65f24fd1
here=$(cd "$(dirname "$0")" && pwd)
cache=${VEDETTE_CACHE:-$HOME/.cache/vedette}/kafka
libs=$cache/$version/libs
host=${KAFKA_HOST:-127.0.0.1}
port=${KAFKA_PORT:-9092}
controller_port=${KAFKA_CONTROLLER_PORT:-$((port + 1))}
data=${KAFKA_DATA:-$cache/data-$port}

say() { echo "kafka: $*" >&2; }
die() { say "$*"; exit 1; }

command -v java >/dev/null || die "java is missing; install a Java runtime, version 17 or later (Debian: openjdk-17-jre-headless)"
java_version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
[ "${java_version:-0}" -ge 17 ] || die "java ${java_version:-?} is too old; install version 17 or later"

sound() { [ -f "$1/kafka_2.13-$version.jar" ] && echo "$sha256  $1/kafka_2.13-$version.jar" | sha256sum -c --status -; }

if ! { [ -f "$libs/.complete" ] && sound "$libs"; }; then
    command -v mvn >/dev/null || die "mvn is missing; install Maven (Debian: maven), it fetches Kafka"
    mkdir -p "$cache/$version"
    part=$(mktemp -d "$cache/$version/fetch.XXXXXX")
    trap 'rm -rf "$part"' EXIT
    trap 'exit 130' INT TERM
    say "fetching Kafka $version and what it needs (about 75 MB) into $libs"
    mvn -B -q -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$part/libs" >&2 &
    fetch=$!
    while kill -0 "$fetch" 2>/dev/null; do
        if [ -t 2 ]; then
            printf '\rkafka: %s' "$(du -sh "$part" | cut -f 1)" >&2
        fi
        sleep 0.5
    done
    [ ! -t 2 ] || echo >&2
    wait "$fetch" || die "Maven could not fetch Kafka; check the network or ~/.m2/settings.xml, then run this again"
    sound "$part/libs" || die "kafka_2.13-$version.jar is not the one this script knows (SHA-256); do not use it"
    touch "$part/libs/.complete"
    rm -rf "$libs"
    # A concurrent run may have been faster; its files are as good.
    mv "$part/libs" "$libs" 2>/dev/null || sound "$libs" || die "cannot write $libs"
    rm -rf "$part"
    trap - EXIT INT TERM
fi
[ "${1:-}" != --fetch-only ] || { say "Kafka $version is in $libs"; exit 0; }

mkdir -p "$data"
config=$data/server.properties
sed -e "s|@HOST@|$host|g" -e "s|@PORT@|$port|g" -e "s|@CONTROLLER_PORT@|$controller_port|g" -e "s|@DATA@|$data|g" \
    "$here/server.properties" >"$config"
[ -z "${KAFKA_EXTRA:-}" ] || cat "$KAFKA_EXTRA" >>"$config"

log4j="-Dlog4j2.configurationFile=$here/log4j2.xml"
if [ ! -f "$data/log/meta.properties" ]; then
    id=$(java "$log4j" -cp "$libs/*" kafka.tools.StorageTool random-uuid)
    java "$log4j" -cp "$libs/*" kafka.tools.StorageTool format --standalone -t "$id" -c "$config" >&2
fi
say "listening on $host:$port, data in $data; Ctrl-C stops it"
exec java "-Xmx${KAFKA_HEAP:-512m}" ${KAFKA_JAVA_OPTIONS:-} "$log4j" -cp "$libs/*" kafka.Kafka "$config"
