<?php
// The aggregator's own verifier, in PHP's own functions: a body a line, in hex; its canonical text back.
while (($line = fgets(STDIN)) !== false) {
    $fields = [];
    parse_str(hex2bin(trim($line)), $fields);
    unset($fields['extraData']);
    ksort($fields);
    $texts = array_map(fn ($value) => is_array($value) ? 'Array' : strval($value), $fields);
    $text = json_encode($texts);
    echo $text === false ? '-' : bin2hex($text), "\n";
    flush();
}
