# The lines of results.jsonl as rows of a table, parted by tabs. jq -r -f table.jq

def short: if . == 0 then "0"
	elif . >= 1000 then round | tostring
	elif . >= 10 then (. * 10 | round) / 10 | tostring
	else (. * 1000 | round) / 1000 | tostring end;

select(.subject) | [.row, .case, .subject, (.median | short), .unit,
	"\(.p10 | short) to \(.p90 | short)", "n=\(.n)"] | join("\t")
