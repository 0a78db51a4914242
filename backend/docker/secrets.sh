#!/bin/bash
# Makes what is missing of the stack's random secrets, and hands each folder to the user who reads it.
# Runs as root before all else, in an image that a new build leaves as it is, and prints no secret.
#   secrets.sh                        what `docker compose up` does
#   secrets.sh rotate auth            a new AUTH_SECRET; the one before stays good for its tokens
#   secrets.sh forget auth            the one before is no longer good
#   secrets.sh rotate database|redis  a new password
# backend/scripts/rotate-secret does all that goes with it.
set -euo pipefail
umask 077

root=${SECRETS:-/secrets}
redis_data=${REDIS_DATA:-/redis-data}

# Letters, digits, `-` and `_`: it needs no quoting in a URL or a configuration.
random() { head -c 36 /dev/urandom | base64 -w0 | tr '+/' '-_'; }

# While the folder is still ours, because a mode with the group's bit is its owner's to give.
hand_over() {
    mkdir -p "$1"
    [ "$(stat -c %u "$1")" = "${2%:*}" ] || { chmod "${3:-0700}" "$1" && chown "$2" "$1"; }
}

# Whole or not at all, and for the folder's owner alone.
write() {
    local file=$root/$1 new
    new=$(mktemp "${file%/*}/.new.XXXXXXXXXX")
    printf '%s\n' "$2" >"$new"
    chown --reference="${file%/*}" "$new"
    sync "$new"
    mv -fT "$new" "$file"
    echo "secrets: made $1"
}
keep() { [ -e "$root/$1" ] || write "$1" "$2"; }
# A file that says what others say, in another form.
follow() { [ "$(cat "$root/$1" 2>/dev/null)" = "$2" ] || write "$1" "$2"; }
text() { cat "$root/$1"; }

hand_over "$root/postgres" 999:999
hand_over "$root/redis" 999:999
hand_over "$root/backend" 10001:10001
hand_over "$root/admin" 10001:10001
hand_over "$root/grafana" 472:472
# Made by `init`, read by Prometheus' group.
hand_over "$root/prometheus" 10001:65534 2750
hand_over "$redis_data" 999:999

keep postgres/superuser_password "$(random)"
keep postgres/owner_password "$(random)"
keep postgres/password "$(random)"
keep redis/password "$(random)"
keep redis/password_previous ""
keep backend/auth_secret "$(random)"
keep backend/auth_secret_previous ""
keep grafana/admin_password "$(random)"
keep grafana/secret_key "$(random)"

case "$*" in
    "") ;;
    "rotate auth")
        write backend/auth_secret_previous "$(text backend/auth_secret)"
        write backend/auth_secret "$(random)"
        ;;
    "forget auth") write backend/auth_secret_previous "" ;;
    "rotate database") write postgres/password "$(random)" ;;
    "rotate redis")
        write redis/password_previous "$(text redis/password)"
        write redis/password "$(random)"
        ;;
    *)
        echo "secrets: rotate auth, database or redis, or forget auth" >&2
        exit 2
        ;;
esac

follow redis/redis.conf "requirepass $(text redis/password)"
follow backend/database_url "postgresql://leaderboard:$(text postgres/password)@postgres/leaderboard"
follow backend/redis_url "redis://:$(text redis/password)@redis:6379/0"
follow admin/database_url \
    "postgresql://leaderboard_owner:$(text postgres/owner_password)@postgres/leaderboard"
