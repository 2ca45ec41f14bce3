# The migrations as a table in C: awk -f migrations/embed.awk migrations/NNNN_name.sql...
function quoted(line) { gsub(/\\/, "&&", line); gsub(/"/, "\\\\&", line); return "\t\"" line "\\n\"" }
BEGIN { print "#include \"gateway/db/migration.h\"\n\nconst struct migration migration_table[] = {" }
FNR == 1 {
	if (NR > 1) print "\t},"
	name = FILENAME; sub(/.*\//, "", name); sub(/\.sql$/, "", name)
	print "\t{ " (name + 0) ", \"" name "\","
}
{ print quoted($0) }
END {
	if (NR > 0) print "\t},"
	print "\t{ 0, 0, 0 }\n};"
	print "const unsigned migration_n = sizeof(migration_table) / sizeof(migration_table[0]) - 1;"
}
