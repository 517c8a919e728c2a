# shellcheck shell=bash disable=SC2034,SC2153
# Sourced by ./up and ./check: which Debian packages they need, and installing those that are missing.
# Tested on Debian 12 only.

BUILD_PACKAGES=(
  g++ cmake ninja-build ccache pkg-config
  prometheus-cpp-dev libcivetweb-dev libcurl4-openssl-dev libspdlog-dev libfmt-dev libtomlplusplus-dev
  libcli11-dev nlohmann-json3-dev libexpected-dev libre2-dev libdeflate-dev libsqlite3-dev libssl-dev libsodium-dev
  libyaml-cpp-dev libhowardhinnant-date-dev
)
command -v npm >/dev/null || BUILD_PACKAGES+=(nodejs npm)  # For the page's charts; an npm from elsewhere will do.
RUN_PACKAGES=(python3 python3-aiosmtpd)  # The supervisor behind ./up, and the mail server of a drill.
TEST_PACKAGES=(
  libgtest-dev libgmock-dev clang-format chromium mosquitto-clients python3-paho-mqtt python3-prometheus-client
  systemd util-linux iproute2 curl openssl ca-certificates
  libpaho-mqtt-dev libmosquitto-dev
)
PEER_LIBRARIES=(libwrap0 libdlt2 libwebsockets17 libmosquitto1 libcjson1 libevent-2.1-7 libdb5.3)  # What the unpacked mosquitto and opensmtpd link.
# Unpacked under build/peers/, never installed: they would start services or take a port.
PEER_PACKAGES=(
  prometheus prometheus-node-exporter prometheus-alertmanager prometheus-blackbox-exporter mosquitto nats-server opensmtpd
)

missing_packages() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s\n' "$package"
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
    echo "root is needed for: $*; run this as root, or install sudo" >&2
    return 1
  fi
}

# install_packages YES PACKAGE...: says which are missing and installs them; YES=1 does not ask.
install_packages() {
  local yes=$1 answer
  shift
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "Packages to install: ${missing[*]}"
  if [ "$yes" != 1 ]; then
    if [ ! -t 0 ]; then
      echo "There is no terminal to ask on; run it again with --yes to install them." >&2
      return 1
    fi
    read -r -p "Install them with apt-get? [Y/n] " answer
    case "$answer" in "" | y | Y | yes) ;; *) echo "Nothing was installed." >&2 && return 1 ;; esac
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-remove --no-install-recommends "${missing[@]}"
}

# unpack_peers DIRECTORY: each peer in a folder of its own; one that cannot be had is said, and its tests are skipped.
unpack_peers() {
  local directory=$1 package
  for package in "${PEER_PACKAGES[@]}"; do
    [ ! -e "$directory/$package/usr" ] || continue
    mkdir -p "$directory/$package"
    if (cd "$directory/$package" && apt-get download -q "$package" >/dev/null && dpkg-deb -x ./*.deb . && rm -f ./*.deb); then
      echo "Unpacked $package under build/peers/"
    else
      echo "Could not fetch $package: the tests that need it are skipped." >&2
    fi
  done
}

# fetch_npm_clients DIRECTORY: npm's `mqtt` for the tests, in the versions of tests/clients/package-lock.json; where node or npm
# cannot be had it is said, and their tests are left out.
fetch_npm_clients() {
  local directory=$1
  [ ! -e "$directory/node_modules/mqtt" ] || return 0
  command -v npm >/dev/null ||
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-remove --no-install-recommends nodejs npm >/dev/null || true
  mkdir -p "$directory"
  cp tests/clients/package.json tests/clients/package-lock.json "$directory"/
  if (cd "$directory" && npm ci --ignore-scripts --no-audit --no-fund >/dev/null 2>&1); then
    echo "Fetched npm's mqtt into build/peers/npm"
  else
    echo "Could not fetch npm's mqtt: its tests are left out." >&2
  fi
}

# Runs a command as the user who called sudo, so that nothing of root's is left in the tree.
as_caller() {
  if [ "$(id -u)" = 0 ] && [ -n "${SUDO_UID:-}" ] && [ "${SUDO_UID}" != 0 ]; then
    HOME=$(getent passwd "$SUDO_UID" | cut -d: -f6) \
      setpriv --reuid "$SUDO_UID" --regid "$SUDO_GID" --init-groups "$@"
  else
    "$@"
  fi
}

# build PRESET LOG: configures once, then builds what changed; on failure shows the end of LOG. Whole builds take several
# sources at a time into one unit, which halves them; `cmake --preset` alone leaves each source by itself.
build() {
  local preset=$1 log=$2
  export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
  as_caller touch "$log"  # Before root's shell opens it.
  if [ ! -e "build/$preset/build.ninja" ]; then
    as_caller cmake --preset "$preset" -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=16 >"$log" 2>&1 || { tail -n 40 "$log" >&2; return 1; }
  fi
  as_caller ninja -C "build/$preset" >>"$log" 2>&1 || { tail -n 60 "$log" >&2; return 1; }
}
