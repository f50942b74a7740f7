-- Signed, form-encoded movements for wrk. Every player has at most one movement under way, repeats apart.
--
-- Arguments: key, name of the run (hex), number of the first player, how many players there are, mix, how
-- many requests the storm may repeat, file of the players ("-": their names and tokens follow from their
-- numbers), how many players play at the same time. With a single player many movements are under way, so wins belong to bets of long ago.
--
-- Every answer is read, whatever the mix: it must be one that the requests sent so far call for.

local ffi = require("ffi")
ffi.cdef [[ unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md); ]]

local found, crypto = pcall(ffi.load, "libcrypto.so.3")
if not found then crypto = ffi.C end

local format, random, floor, find, match = string.format, math.random, math.floor, string.find, string.match

-- Which share of all requests is what; the rest are bets and wins. A storm repeats what a run of ordinary
-- traffic under the same name has moved: the same requests, made again from the same seed.
local MIXES = {
  ordinary = { again = 0, broke = 0, abort = 0, cancel = 0 },
  repeats = { again = 0.10, broke = 0, abort = 0, cancel = 0 },
  mixed = { again = 0.10, broke = 0.08, abort = 0.03, cancel = 0.02 },
  storm = { again = 0, broke = 0, abort = 0, cancel = 0 },
}
-- A repeat comes so many requests after the first delivery, which has been answered by then.
local AGAIN_AFTER = 300
-- More than anybody has.
local BEYOND_FUNDS = "9000000.00"
local DIRECTIONS = { BetPlacing = "debit", Win = "credit", BetPlacingAbort = "credit", SportBetCancel = "debit" }

local digest = ffi.new("unsigned char[32]")
local key, run, first, count, mix, storm_length, playing = "", "", 0, 1, MIXES.ordinary, 0, 1
local turn, visits, rounds, open, won, owed = 0, {}, {}, {}, {}, {}
local users, tokens = {}, {}
local sent, refused_then, originals = {}, {}, 0

-- What wrk's main state reads when the run is over.
moved, refused, again = 0, 0, 0
to_move, to_refuse, to_repeat, refused_again, others = 0, 0, 0, 0, 0

local HEX = {}
for byte = 0, 255 do HEX[byte] = format("%02x", byte) end

local function sha256(text)
  crypto.SHA256(text, #text, digest)
  local words = {}
  for n = 0, 31 do words[n + 1] = HEX[digest[n]] end
  return table.concat(words)
end

local function word() return floor(random() * 65536) end

local function unique()
  return format("%04x%04x-%04x-%04x-%04x-%04x%08x", word(), word(), word(), word(), word(), word(), turn)
end

local function start()
  turn, visits, rounds, open, won = 0, {}, {}, {}, {}
  math.randomseed(tonumber(run, 16))
end

-- As it is sent; another one where something else than games of chance is measured.
EXTRA_DATA = os.getenv("BENCH_EXTRA_DATA")
  or "%7B%22gameName%22%3A%22a%20game%20of%20chance%22%2C%22roundType%22%3A%22main%22%7D"

function init(arguments)
  key, run = arguments[1], arguments[2]
  first, count = tonumber(arguments[3]), tonumber(arguments[4])
  mix, storm_length = MIXES[arguments[5]], tonumber(arguments[6])
  playing = math.min(tonumber(arguments[8]), count)
  for kind in pairs(mix) do owed[kind] = 0 end
  if arguments[7] ~= "-" then
    for line in io.lines(arguments[7]) do
      users[#users + 1], tokens[#tokens + 1] = match(line, "^(%S+) (%S+)$")
    end
  end
  start()
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
end

local function is_due(kind)
  if owed[kind] < 1 then return false end
  owed[kind] = owed[kind] - 1
  return true
end

local LAG = 1023

-- The one player's: bets and wins by turns, a win for the bet of LAG visits ago.
local function hot(visit)
  if visit < LAG or visit % 2 == 0 then return "BetPlacing", visit end
  return "Win", visit - LAG
end

-- What becomes of a player's round next: a bet, then its win or its abort; a win may be cancelled.
local function ordinary(player, amount)
  local round = rounds[player] or 0
  if open[player] and is_due("abort") then
    local staked = open[player]
    open[player], won[player] = nil, nil
    return "BetPlacingAbort", round, staked
  end
  if won[player] and is_due("cancel") then
    local paid = won[player]
    open[player], won[player] = nil, nil
    return "SportBetCancel", round, paid
  end
  -- Every other player's first round gets no win, so that bets and wins are evenly mixed.
  if open[player] and (player % 2 == 0 or round > 1) then
    open[player], won[player] = nil, amount
    return "Win", round, amount
  end
  rounds[player], open[player], won[player] = round + 1, amount, nil
  return "BetPlacing", round + 1, amount
end

-- So many visits in turn have those who play at the same time; then come the next ones. Where all play, the
-- order is that of one long turn.
local VISITS = 8
-- Neighbours in the order are scattered over the tables.
local STEP = 7919

local function next_player()
  local others_before = floor(floor(turn / playing) / VISITS) * playing
  return first + ((others_before + turn % playing) * STEP) % count
end

-- The next movement, and whether it is refused for want of money.
local function original()
  local player = next_player()
  local visit = visits[player] or 0
  visits[player] = visit + 1
  turn = turn + 1
  local is_refused, id = is_due("broke"), unique()
  local kind, round, amount = "BetPlacing", "r" .. turn, BEYOND_FUNDS
  if not is_refused then
    amount = format("%d.%02d", 1 + visit % 4, turn % 100)
    if count == 1 then kind, round = hot(visit) else kind, round, amount = ordinary(player, amount) end
  end
  local event = run .. "-" .. player .. "-" .. round
  local token = tokens[player + 1] or format("token-%06d", player) .. "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
  local user = users[player + 1] or format("player-%06d", player)
  local direction = DIRECTIONS[kind]
  local signed = sha256('{"amount":"' .. amount .. '","direction":"' .. direction .. '","eventId":"' .. event
    .. '","eventType":"' .. kind .. '","gameId":"1037566","token":"' .. token .. '","transactionId":"' .. id
    .. '","userId":"' .. user .. '"}' .. key)
  wrk.headers["Hash-Authorization"] = signed
  return wrk.format(nil, nil, nil, "token=" .. token .. "&userId=" .. user .. "&gameId=1037566"
    .. "&extraData=" .. EXTRA_DATA
    .. "&eventId=" .. event .. "&direction=" .. direction .. "&transactionId=" .. id .. "&eventType=" .. kind
    .. "&amount=" .. amount), is_refused
end

local is_tried = false

function request()
  -- wrk makes one request before it starts, to see that it can, and never sends it.
  if not is_tried then
    is_tried = true
    return wrk.format(nil, nil, nil, "")
  end
  if storm_length > 0 then
    if turn == storm_length then start() end
    to_repeat = to_repeat + 1
    return (original())
  end
  for kind, share in pairs(mix) do owed[kind] = owed[kind] + share end
  local place = originals % AGAIN_AFTER
  if sent[place] and is_due("again") then
    -- A movement that was refused for ever is refused again.
    if refused_then[place] then
      to_refuse, refused_again = to_refuse + 1, refused_again + 1
    else
      to_repeat = to_repeat + 1
    end
    return sent[place]
  end
  local text, is_refused = original()
  if is_refused then to_refuse = to_refuse + 1 else to_move = to_move + 1 end
  sent[place], refused_then[place], originals = text, is_refused, originals + 1
  return text
end

function response(status, headers, body)
  if status ~= 200 then return end -- wrk itself counts those
  if find(body, '"status":true', 1, true) then moved = moved + 1; return end
  local code = match(body, '"code":(%d+)')
  if code == "409" then again = again + 1
  elseif code == "402" then refused = refused + 1
  else others = others + 1 end
end

local threads = {}

function setup(thread) threads[#threads + 1] = thread end

function done(summary, latency, requests)
  local thread, errors = threads[1], summary.errors
  local wrong = thread:get("others")
  for answered, due in pairs({ moved = "to_move", refused = "to_refuse", again = "to_repeat" }) do
    wrong = wrong + math.max(thread:get(answered) - thread:get(due), 0)
  end
  io.write(format(
    '\nRESULT {"seconds": %.6f, "requests": %d, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d, "unwritten": %d}\n',
    summary.duration / 1e6, summary.requests, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout + wrong,
    math.min(thread:get("again"), thread:get("to_repeat")) + thread:get("refused_again")))
end
