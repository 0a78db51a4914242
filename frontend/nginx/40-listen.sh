#!/bin/sh
# Where a certificate and its key were dropped in, the site speaks TLS; where not, plain HTTP. It is
# the same port either way, and who comes without TLS is sent to it.
set -eu

# Those in front of Nginx, for nginx.conf: their connections are other callers'.
for network in $(echo "${TRUSTED_PROXIES:-}" | tr ',' ' '); do
    [ "$network" = own-networks ] || echo "$network 1;"
done >/tmp/proxies.conf

certificate=/etc/nginx/tls/fullchain.pem
key=/etc/nginx/tls/privkey.pem
# Each worker gets its share of the connections; without this, one takes most of them. The backlog is
# what Linux allows: all come back at once when Nginx was restarted.
options="reuseport backlog=4096"

if [ ! -e "$certificate" ] && [ ! -e "$key" ]; then
    echo "listen 8080 $options;" >/tmp/listen.conf
    exit
fi
for file in "$certificate" "$key"; do
    if [ ! -r "$file" ]; then
        echo "TLS: Nginx runs as user $(id -u), and can't read $(basename "$file") in the folder that" \
            "TLS_DIR names. If it is there: chown $(id -u) $(basename "$file"), and mode 0400." >&2
        exit 1
    fi
done
cat >/tmp/listen.conf <<END
listen 8080 ssl $options;
ssl_certificate $certificate;
ssl_certificate_key $key;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_session_cache shared:tls:5m;
ssl_session_tickets off;
# A socket keeps it.
ssl_buffer_size 4k;
END
