#!/bin/sh
# Runs one Keycloak for tests and trials in the foreground, with the realm of realm.json in memory; fetches it with Maven on the first run.
#
#   deploy/keycloak/start.sh [--fetch-only]
#
#   KEYCLOAK_PORT      port on 127.0.0.1                            8180
#   KEYCLOAK_PAGE      address of the page of Vedette               http://127.0.0.1:8080
#   KEYCLOAK_SECRET    secret of the client `vedette`               not-a-secret
#   KEYCLOAK_PASSWORD  password of the realm's users, and of the
#                      administrator `admin` of Keycloak            not-a-password
#   KEYCLOAK_DATA      directory for this run                       $VEDETTE_CACHE/keycloak/run-KEYCLOAK_PORT
#   KEYCLOAK_HEAP      heap of the server                           384m
#   VEDETTE_CACHE      where it is kept                             $HOME/.cache/vedette
set -eu

version=26.7.3
sha256=27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f
here=$(cd "$(dirname "$0")" && pwd)
cache=${VEDETTE_CACHE:-$HOME/.cache/vedette}/keycloak
home=$cache/$version
port=${KEYCLOAK_PORT:-8180}
run=${KEYCLOAK_DATA:-$cache/run-$port}

say() { echo "keycloak: $*" >&2; }
die() { say "$*"; exit 1; }

command -v java >/dev/null || die "java is missing; install a Java runtime, version 17 or later (Debian: openjdk-17-jre-headless)"
java_version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
[ "${java_version:-0}" -ge 17 ] || die "java ${java_version:-?} is too old; install version 17 or later"

if ! [ -f "$home/.complete" ]; then
    command -v mvn >/dev/null || die "mvn is missing; install Maven (Debian: maven), it fetches Keycloak"
    command -v python3 >/dev/null || die "python3 is missing; install it, it unpacks Keycloak"
    mkdir -p "$cache"
    part=$(mktemp -d "$cache/fetch.XXXXXX")
    trap 'rm -rf "$part"' EXIT
    trap 'exit 130' INT TERM
    say "fetching Keycloak $version (about 180 MB) into $home"
    mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -DoutputDirectory="$part" \
        -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" >&2 ||
        die "Maven could not fetch Keycloak; check the network or ~/.m2/settings.xml, then run this again"
    archive=$part/keycloak-quarkus-dist-$version.zip
    echo "$sha256  $archive" | sha256sum -c --status - || die "$archive is not the one this script knows (SHA-256); do not use it"
    python3 -m zipfile -e "$archive" "$part/unpacked"
    rm "$archive"
    # Once, so that a start takes seconds.
    say "preparing it"
    sh "$part/unpacked/keycloak-$version/bin/kc.sh" build --db=dev-mem >&2 || die "Keycloak could not be prepared"
    touch "$part/unpacked/keycloak-$version/.complete"
    # A concurrent run may have been faster; its files are as good.
    mv -T "$part/unpacked/keycloak-$version" "$home" 2>/dev/null || [ -f "$home/.complete" ] || die "cannot write $home"
    rm -rf "$part"
    trap - EXIT INT TERM
fi
[ "${1:-}" != --fetch-only ] || { say "Keycloak $version is in $home"; exit 0; }

# A home of its own, with the programs of the common one: Keycloak imports realms from its home, and writes there.
mkdir -p "$run/bin" "$run/data/import"
cp "$home/bin/kc.sh" "$run/bin/"
for part in lib providers themes conf; do
    ln -sfn "$home/$part" "$run/$part"
done
sed -e "s|@PAGE@|${KEYCLOAK_PAGE:-http://127.0.0.1:8080}|g" -e "s|@SECRET@|${KEYCLOAK_SECRET:-not-a-secret}|g" \
    -e "s|@PASSWORD@|${KEYCLOAK_PASSWORD:-not-a-password}|g" "$here/realm.json" >"$run/data/import/realm.json"

export KC_BOOTSTRAP_ADMIN_USERNAME=admin KC_BOOTSTRAP_ADMIN_PASSWORD="${KEYCLOAK_PASSWORD:-not-a-password}"
export JAVA_OPTS_KC_HEAP="-Xms64m -Xmx${KEYCLOAK_HEAP:-384m}"
say "issuer http://127.0.0.1:$port/realms/site; Ctrl-C stops it"
exec sh "$run/bin/kc.sh" start --optimized --import-realm --http-enabled=true --http-host=127.0.0.1 --http-port="$port" \
    --hostname="http://127.0.0.1:$port" --cache=local --http-management-port=0 >&2
