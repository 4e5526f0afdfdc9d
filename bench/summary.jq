# Samples, one a line (row, case, subject, unit, value, parted by tabs), become one line
# of JSON for each thing that was measured, in the order of the first sample of each.
# jq -R -s -c -f summary.jq SAMPLES

# Of a sorted array; between two of them in proportion.
def percentile($p):
	((length - 1) * $p / 100) as $at
	| ($at | floor) as $low
	| .[$low] + ((.[$low + 1] // .[$low]) - .[$low]) * ($at - $low);

[split("\n")[] | select(. != "") | split("\t")]
| to_entries
| group_by(.value[0:4])
| sort_by(.[0].key)[]
| (map(.value[4] | tonumber) | sort) as $values
| .[0].value as [$row, $case, $subject, $unit]
| {$row, $case, $subject, $unit, median: ($values | percentile(50)),
	p10: ($values | percentile(10)), p90: ($values | percentile(90)),
	n: ($values | length)}
