#!/bin/sh
# Prints the path of a Chromium for the page tests; exits 1 where there is none.
if [ -n "$WAYPOST_CHROMIUM" ]; then
	[ -x "$WAYPOST_CHROMIUM" ] && echo "$WAYPOST_CHROMIUM" && exit 0
	exit 1
fi
for name in chromium chromium-browser google-chrome google-chrome-stable; do
	command -v "$name" && exit 0
done
exit 1
