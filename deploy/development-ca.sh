#!/bin/bash
# The development CA of quickstart, which sources this: functions only.

# make_certificate FOLDER NAME SUBJECT DAYS EXTENSIONS [signing options]: makes a P-256 key and a
# certificate. The certificate is moved last, so where it is, its key is.
make_certificate() {
  local file="$1/$2" subject="$3" days="$4" extensions="$5"
  shift 5
  printf '[req]\ndistinguished_name = dn\n[dn]\n[ext]\n%s\n' "$extensions" >"$file.cnf"
  if ! openssl req -x509 -config "$file.cnf" -extensions ext -newkey ec \
    -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "$subject" -days "$days" "$@" \
    -keyout "$file.key.new" -out "$file.pem.new" 2>"$file.log"; then
    cat -- "$file.log" >&2
    return 1
  fi
  mv -f -- "$file.key.new" "$file.key" && mv -f -- "$file.pem.new" "$file.pem" &&
    rm -f -- "$file.cnf" "$file.log"
}

# is_good_for FOLDER CERTIFICATE DAYS: whether it chains to the folder's CA and lasts that long.
is_good_for() {
  openssl verify -CAfile "$1/ca.pem" "$2" >/dev/null 2>&1 &&
    openssl x509 -in "$2" -noout -checkend "$(($3 * 86400))" >/dev/null 2>&1
}

# make_server_certificates FOLDER: a CA once; a server certificate for loopback, and a new one shortly
# before it expires.
make_server_certificates() {
  local folder="$1"
  if [[ ! -s "$folder/ca.pem" ]]; then
    make_certificate "$folder" ca "/CN=Hallmark development CA" 3650 "\
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash" || return 1
  fi
  if ! is_good_for "$folder" "$folder/server.pem" 30; then
    make_certificate "$folder" server "/CN=localhost" 397 "\
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost,IP:127.0.0.1,IP:::1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" || return 1
  fi
}
