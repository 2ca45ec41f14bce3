# The shape of the code: awk -f tests/shape.awk FILES... Functions to 70 lines, files to 500, lines to 100 columns (tabs
# count 8), a header says what it promises. Prints each offence; exit status 1 if there is any.
function width(line,    n, i, c) {
	for (i = 1; i <= length(line); i++) { c = substr(line, i, 1); n += c == "\t" ? 8 - n % 8 : 1 }
	return n
}
function offence(what) { print file ":" line ": " what; bad = 1 }
function end_file() {
	if (file == "") return
	if (line > 500) offence("the file has " line " lines, more than 500")
	if (file ~ /\.h$/ && !promised) offence("the header does not open with what it promises")
}
FNR == 1 { end_file(); file = FILENAME; promised = 0; open_at = 0 }
{ line = FNR }
width($0) > 100 { offence("the line has " width($0) " columns, more than 100") }
/[ \t]+$/ { offence("the line ends in white space") }
FNR <= 6 && /^\/\*/ { promised = 1 }
/^{$/ { open_at = FNR }
/^}/ { if (open_at && FNR - open_at > 71) offence("the function has " FNR - open_at " lines, more than 70"); open_at = 0 }
END { end_file(); exit bad }
