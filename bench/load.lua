-- Signed, form-encoded bets and wins for wrk: every player has at most one movement under way.
-- Arguments: key, name of the run (hex), number of the first player, how many players there are.
-- A single player is the hot one: many of his movements are under way, so his wins belong to bets of long ago.

local ffi = require("ffi")
ffi.cdef [[ unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md); ]]

local found, crypto = pcall(ffi.load, "libcrypto.so.3")
if not found then crypto = ffi.C end

local format, random, floor = string.format, math.random, math.floor
local digest = ffi.new("unsigned char[32]")
local turn, key, run, first, count = 0, "", "", 0, 1
local visits, rounds = {}, {}

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

function init(arguments)
  key, run = arguments[1], arguments[2]
  first, count = tonumber(arguments[3]), tonumber(arguments[4])
  math.randomseed(tonumber(run, 16))
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
end

local LAG = 1023

local function hot(visit)
  if visit < LAG or visit % 2 == 0 then return true, visit end
  return false, visit - LAG
end

local function ordinary(player, visit)
  local is_bet = visit == 0 or (visit + player) % 2 == 0
  if is_bet then rounds[player] = (rounds[player] or 0) + 1 end
  return is_bet, rounds[player]
end

local STEP = 7919
-- Players are visited in an order that scatters them over the tables; every one once a turn.

local is_tried = false

function request()
  -- wrk makes one request before it starts, to see that it can, and never sends it.
  if not is_tried then
    is_tried = true
    return wrk.format(nil, nil, nil, "")
  end
  local player = first + (turn * STEP) % count
  local visit = visits[player] or 0
  visits[player] = visit + 1
  turn = turn + 1
  local is_bet, round
  if count == 1 then is_bet, round = hot(visit) else is_bet, round = ordinary(player, visit) end
  local event = format("%s-%d-%d", run, player, round)
  local token = format("token-%06d", player) .. "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
  local user = format("player-%06d", player)
  local direction = is_bet and "debit" or "credit"
  local kind = is_bet and "BetPlacing" or "Win"
  local id = unique()
  local amount = format("%d.%02d", 1 + visit % 4, turn % 100)
  local signed = sha256('{"amount":"' .. amount .. '","direction":"' .. direction .. '","eventId":"' .. event
    .. '","eventType":"' .. kind .. '","gameId":"1037566","token":"' .. token .. '","transactionId":"' .. id
    .. '","userId":"' .. user .. '"}' .. key)
  wrk.headers["Hash-Authorization"] = signed
  return wrk.format(nil, nil, nil, "token=" .. token .. "&userId=" .. user .. "&gameId=1037566"
    .. "&extraData=%7B%22gameName%22%3A%22a%20game%20of%20chance%22%2C%22roundType%22%3A%22main%22%7D"
    .. "&eventId=" .. event .. "&direction=" .. direction .. "&transactionId=" .. id .. "&eventType=" .. kind
    .. "&amount=" .. amount)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(format('\nRESULT {"seconds": %.6f, "requests": %d, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d}\n',
    summary.duration / 1e6, summary.requests, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
