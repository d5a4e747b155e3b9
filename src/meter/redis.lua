-- The arithmetic of src/meter.rs inside of Redis: what it decides is said there, and tests/meter.rs holds this against
-- it. All questions of one call are decided at once, and nobody is in between.
--
-- KEYS: counters. ARGV[1]: the time in milliseconds since 1970, or nothing for that of Redis. ARGV[2..]: a question for
-- each counter. Gives a line for each of them, an empty one for a question that cannot be read.
--
-- Numbers here are doubles, which are exact up to 2^53. A product or a sum that is larger is rounded, but never to less
-- than 2^53, so whatever is compared with MOST or less comes out right. `%` divides with rounding; fmod does not.

local MOST = 9007199254740991
local JITTER_MS, BEHIND_MS, ENTRIES = 1000, 86400000, 2000
local fmod, min, max = math.fmod, math.min, math.max

local function text(number)
  return string.format("%.0f", number)
end

local function split(line)
  local words = {}
  for word in string.gmatch(line .. " ", "([^ ]*) ") do
    words[#words + 1] = word
  end
  return words
end

local function number(word)
  if word and #word <= 16 and string.find(word, "^[0-9]+$") then
    local value = tonumber(word, 10)
    if value <= MOST then
      return value
    end
  end
end

local function div_floor(a, b)
  return (a - fmod(a, b)) / b
end

local function div_ceil(a, b)
  local rest = fmod(a, b)
  return (a - rest) / b + (rest > 0 and 1 or 0)
end

-- Questions.

local ACTS = { take = 2, ["return"] = 2, charge = 1, renew = 2, look = 1, forget = 0 }

local function parse_ask(line)
  local words = split(line)
  local count = ACTS[words[1]]
  if not count or #words ~= count + 5 then
    return nil
  end
  local ask = { act = words[1], kind = words[count + 2] }
  local numbers = {}
  for at = 1, count + 3 do
    numbers[at] = number(words[at + (at > count and 2 or 1)])
    if not numbers[at] then
      return nil
    end
  end
  ask.first = numbers[1]
  ask.second = numbers[2]
  ask.limit, ask.x, ask.y = numbers[count + 1], numbers[count + 2], numbers[count + 3]
  if ask.act == "take" and ask.first > ask.second then
    return nil
  end
  local fits
  if ask.kind == "bucket" then
    fits = min(ask.limit, ask.x, ask.y) >= 1 and ask.x * ask.y <= MOST
  elseif ask.kind == "until" then
    fits = ask.x < ask.y
  else
    fits = ask.kind == "within" and ask.x >= 1
  end
  return fits and ask or nil
end

local function least(ask, taken)
  if ask.act == "take" then
    return taken >= ask.first and 0 or ask.first
  end
  return ask.act == "look" and ask.first or 1
end

local function steady(at, now)
  if at < now then
    return now, false
  elseif at - now <= JITTER_MS then
    return at, false
  end
  return now, true
end

-- How long to wait, by a clock that stands still for a while first.
local function wait(time, ahead)
  return time == 0 and 0 or min(time + ahead, MOST)
end

-- Buckets: x is the period, y the burst.

local function parse_bucket(state)
  local words = split(state)
  local period, debt, at = number(words[2]), number(words[3]), number(words[4])
  if words[1] == "bucket" and #words == 4 and period and debt and at and at < MOST then
    return { period = period, debt = debt, at = at }
  end
end

local function bucket(ask, kept, now)
  local limit, period, burst = ask.limit, ask.x, ask.y
  local full = burst * period
  local deepest = min(full + limit * BEHIND_MS, MOST)
  local debt, changed, clock = 0, false, now
  if kept and kept.period == period then
    now, changed = steady(kept.at, now)
    debt = max(min(kept.debt, deepest) - limit * max(now - kept.at, 0), 0)
  end
  local function left()
    return div_floor(max(full - debt, 0), period)
  end

  local before, taken = debt, 0
  if ask.act == "take" then
    taken = min(ask.second, left())
    if taken < ask.first then
      taken = 0
    end
  elseif ask.act == "charge" then
    taken = ask.first
  elseif ask.act == "return" then
    if ask.second <= now then
      debt = max(debt - max(min(ask.first, burst) * period - limit * (now - ask.second), 0), 0)
    end
  elseif ask.act == "forget" then
    debt, changed = 0, true
  end
  debt = min(debt + taken * period, deepest)
  changed = (changed or debt ~= before) and ask.act ~= "look"

  local wanted, retry = least(ask, taken), 0
  if wanted > burst then
    retry = MOST
  elseif wanted > 0 then
    retry = wait(div_ceil(max(debt - (burst - wanted) * period, 0), limit), now - clock)
  end
  local state = changed and table.concat({ "bucket", text(period), text(debt), text(now) }, " ")
  return { taken, left(), retry, wait(div_ceil(debt, limit), now - clock), now }, state
end

-- Sums: due times and amounts, in the order of the due times.

local function parse_sum(state)
  local words = split(state)
  local at = number(words[2])
  if words[1] ~= "sum" or not at or at >= MOST or #words > 2 + 2 * ENTRIES or #words % 2 ~= 0 then
    return nil
  end
  local dues, amounts, last = {}, {}, 0
  for word = 3, #words, 2 do
    local due, amount = number(words[word]), number(words[word + 1])
    if not due or not amount or due <= last or amount == 0 then
      return nil
    end
    dues[#dues + 1], amounts[#amounts + 1], last = due, amount, due
  end
  return { at = at, dues = dues, amounts = amounts }
end

-- When it is due what is taken now, and the latest time at which anything can be.
local function terms(ask, now)
  local due
  if ask.kind == "within" then
    due = now - fmod(now, ask.x) + ask.x + ask.y
  elseif ask.x > now then
    return ask.x, ask.y
  elseif ask.y > now then
    due = ask.y
  else
    local window = ask.y - ask.x
    due = now - fmod(now - ask.y, window) + window
  end
  return min(due, MOST), min(due, MOST)
end

local function sum(ask, kept, now)
  local dues, amounts, changed = {}, {}, false
  local due, latest, clock = nil, nil, now

  local function find(wanted)
    for at = 1, #dues do
      if dues[at] >= wanted then
        return at, dues[at] == wanted
      end
    end
    return #dues + 1, false
  end
  local function add(wanted, amount)
    if amount == 0 then
      return
    end
    changed = true
    local at, found = find(wanted)
    if found then
      amounts[at] = min(amounts[at] + amount, MOST)
    else
      table.insert(dues, at, wanted)
      table.insert(amounts, at, amount)
    end
    local count = #dues
    if count > ENTRIES then
      dues[count - 1] = table.remove(dues)
      amounts[count - 1] = min(amounts[count - 1] + table.remove(amounts), MOST)
    end
  end
  local function remove(wanted, amount)
    local at, found = find(wanted)
    if not found then
      return
    end
    changed = changed or amount > 0
    amounts[at] = max(amounts[at] - amount, 0)
    if amounts[at] == 0 then
      table.remove(dues, at)
      table.remove(amounts, at)
    end
  end
  local function left()
    local used = 0
    for at = 1, #amounts do
      used = min(used + amounts[at], MOST)
    end
    return max(ask.limit - used, 0)
  end

  if kept then
    now, changed = steady(kept.at, now)
  end
  due, latest = terms(ask, now)
  if kept then
    for at = 1, #kept.dues do
      if kept.dues[at] > latest then
        add(latest, kept.amounts[at])
      elseif kept.dues[at] > now then
        dues[#dues + 1], amounts[#amounts + 1] = kept.dues[at], kept.amounts[at]
      end
    end
  end

  local taken = 0
  if ask.act == "take" then
    taken = min(ask.second, left())
    if taken < ask.first then
      taken = 0
    end
    add(due, taken)
  elseif ask.act == "charge" then
    taken = ask.first
    add(due, taken)
  elseif ask.act == "return" then
    remove(ask.second, ask.first)
  elseif ask.act == "renew" then
    taken = ask.first
    remove(ask.second, taken)
    add(due, taken)
  elseif ask.act == "look" then
    changed = false
  else
    dues, amounts, changed = {}, {}, true
  end

  local wanted, retry = least(ask, taken), 0
  if wanted > ask.limit then
    retry = MOST
  elseif wanted > 0 then
    local later = 0
    for at = #dues, 1, -1 do
      later = later + amounts[at]
      if later > ask.limit - wanted then
        retry = wait(dues[at] - now, now - clock)
        break
      end
    end
  end
  local reset = #dues > 0 and wait(dues[#dues] - now, now - clock) or 0
  local state
  if changed then
    local words = { "sum", text(now) }
    for at = 1, #dues do
      words[#words + 1] = text(dues[at])
      words[#words + 1] = text(amounts[at])
    end
    state = table.concat(words, " ")
  end
  return { taken, left(), retry, reset, due }, state
end

-- All of them.

local now = number(ARGV[1])
if not now then
  local time = redis.call("TIME")
  now = tonumber(time[1], 10) * 1000 + div_floor(tonumber(time[2], 10), 1000)
end
now = min(now, MOST - 1)

local answers = {}
for at, key in ipairs(KEYS) do
  local ask = parse_ask(ARGV[at + 1] or "")
  local answer = ""
  if ask then
    -- What is no string is no state.
    local given = redis.pcall("GET", key)
    local kept
    if type(given) == "string" then
      kept = ask.kind == "bucket" and parse_bucket(given) or ask.kind ~= "bucket" and parse_sum(given) or nil
    end
    local count, state = (ask.kind == "bucket" and bucket or sum)(ask, kept, now)
    local words = {}
    for word = 1, #count do
      words[word] = text(count[word])
    end
    words[#words + 1] = (given and not kept) and "1" or "0"
    answer = table.concat(words, " ")
    if state and count[4] == 0 then
      redis.call("DEL", key)
    elseif state and state ~= given then
      redis.call("SET", key, state, "PX", text(count[4]))
    end
  end
  answers[at] = answer
end
return answers
