#!/bin/sh
# Install the peers that tests talk to, when this user may; otherwise name what is missing.
set -eu

# program : Debian package : what skips without it
needed="
/usr/bin/storescu:dcmtk:DIMSE tests (storescu, findscu, getscu, echoscu)
/usr/bin/dciodvfy:dicom3tools:conformance of written SEG and SR
/usr/sbin/Orthanc:orthanc:second PACS and make bench
/usr/share/orthanc/plugins/libOrthancDicomWeb.so:orthanc-dicomweb:DICOMweb side of make bench
/usr/bin/wrk:wrk:HTTP load of make bench
/usr/lib/postgresql/15/bin/postgres:postgresql-15:the same tests on PostgreSQL
/usr/bin/chromium:chromium:browser tests
"
missing=$(printf '%s\n' "$needed" | while IFS=: read -r program package what; do
    [ -n "$program" ] && [ ! -e "$program" ] && printf '%s\n' "$package"
done || true)
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing: $(echo $missing)"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
    exit 0
fi

echo "These programs are missing; the tests named after them will skip:"
printf '%s\n' "$needed" | while IFS=: read -r program package what; do
    [ -n "$program" ] && [ ! -e "$program" ] && echo "  $package ($program): $what"
done
echo "As root: apt-get install --no-install-recommends $(echo $missing)"
