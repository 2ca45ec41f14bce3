# Includes go downward only: awk -f tests/layers.awk FILES... A folder's rank is below; a file may include what has
# a lower rank, and its own folder. Prints each offence; exit status 1 if there is any.
BEGIN {
	rank["shm"] = 0; rank["gateway/base"] = 1; rank["gateway/loop"] = rank["gateway/conf"] = 2
	rank["gateway/http"] = rank["gateway/token"] = rank["gateway/db"] = 3; rank["upstream"] = 4
	rank["gateway/request"] = 5; rank["gateway/access"] = 6; rank["gateway/oauth"] = 7
	rank["gateway"] = rank["gateway/cli"] = 8
}
function folder(path) { sub(/\/[^\/]*$/, "", path); return path }
/^#include "/ {
	split($0, part, "\""); from = folder(FILENAME); to = folder(part[2])
	if (!(from in rank) || !(to in rank)) why = "has no rank"
	else if (from == to || rank[to] < rank[from] || rank[from] == 8 && rank[to] == 8) next
	else why = "is not below " from
	print FILENAME ":" FNR ": " to " " why; bad = 1
}
END { exit bad }
