#!/bin/sh
# `tools/bench`: a row has instructions, messages, reference, ratio, target and verdict.
set -e
cd "$(dirname "$0")/../.."
found=$(tools/bench --scale 5 null_getppid open_close lat_fs_create_0k)
echo "$found"
for row in 'null_getppid +[0-9.]+ +0\.0 +239 +0\.[0-9]+ +150 +' 'open_close +[0-9,.]+ +1\.0 +4,138 ' \
	'lat_fs_create_0k +[0-9,.]+ +1\.0 +16,654 '; do
	echo "$found" | grep -Eq "^$row"
done
