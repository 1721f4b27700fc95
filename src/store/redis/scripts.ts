/**
 * What is done in Redis in one step, in its Lua. Each touches one key, as a cluster wants it, and counts on the clock of Redis
 * alone. After a clock that was set back all goes on as it stood; one that was set forward ends keys early, as if they were
 * lost: what is empty fills, once, and gateways say again what they hold.
 */
export interface Script {
  readonly lua: string;
}

/**
 * A token bucket: `missing:at`, the tokens that are missing and when that was. One that is full is no key.
 * KEYS bucket · ARGV tokens a millisecond, burst, count, 1 to take only what is there → taken, milliseconds to wait.
 */
export const BUCKET: Script = {
  lua: `
local rate, burst, count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local missing, isAhead = 0, false
local kept = redis.call('GET', KEYS[1])
if kept then
  local before, at = string.match(kept, '^(.*):(.*)$')
  isAhead = tonumber(at) > now
  missing = math.max(0, tonumber(before) - math.max(0, now - tonumber(at)) * rate)
end
local taken = count
if ARGV[4] == '1' then taken = math.max(0, math.min(count, math.floor(burst - missing + 0.000001))) end
missing = missing + taken
if taken > 0 or isAhead then
  redis.call('SET', KEYS[1], string.format('%.9f:%.3f', missing, now), 'PX', math.ceil(missing / rate) + 1000)
end
if taken < count then missing = missing + 1 end
return {taken, math.max(0, math.ceil((missing - burst) / rate - 0.001))}`,
};

/**
 * Places: how many each process holds. Those of processes that are gone are free; one that began after the list of the living
 * was read is alive. One that will begin did so before the clock was set back.
 * KEYS places · ARGV process, held, wanted, most (-1: any number), milliseconds to keep the key, time of the list, the
 * living … → held from now on, held by others.
 */
export const PLACES: Script = {
  lua: `
local me, held, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
local now = tonumber(redis.call('TIME')[1]) * 1000 + 1000
local living = {}
for i = 7, #ARGV do living[ARGV[i]] = true end
local others = 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local name = all[i]
  if name ~= me then
    local began = tonumber(string.match(name, '^%w+'), 36)
    if living[name] or (began >= tonumber(ARGV[6]) and began < now) then others = others + all[i + 1]
    else redis.call('HDEL', KEYS[1], name) end
  end
end
local granted = tonumber(ARGV[3])
if most >= 0 then granted = math.max(held, math.min(granted, most - others)) end
if granted > 0 then
  redis.call('HSET', KEYS[1], me, granted)
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
else redis.call('HDEL', KEYS[1], me) end
return {granted, others}`,
};

/**
 * Who is alive: each process by the time until which it is taken to be. One without a name yet asks for the time alone. Nobody
 * is alive for longer than they say: what is later was said before the clock was set back.
 * KEYS processes · ARGV process or nothing, milliseconds → whether it was alive before, the time in milliseconds, all who are.
 */
export const BEAT: Script = {
  lua: `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local last = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now + ARGV[2], '+inf')) do
  redis.call('ZADD', KEYS[1], now + ARGV[2], name)
end
if ARGV[1] ~= '' then
  redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[2] * 2)
end
return {last > now and 1 or 0, now, redis.call('ZRANGE', KEYS[1], 0, -1)}`,
};

/**
 * A note is read once.
 * KEYS note → its text, or nothing.
 */
export const TAKE: Script = {
  lua: `
local text = redis.call('GET', KEYS[1])
if text then redis.call('DEL', KEYS[1]) end
return text`,
};

/**
 * What is told to all: the last so many or some more, for so long after the last.
 * KEYS stream · ARGV most, milliseconds, who tells it, texts … → nothing.
 */
export const TELL: Script = {
  lua: `
for i = 4, #ARGV do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'from', ARGV[3], 'text', ARGV[i])
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])`,
};

/**
 * Lines of registers: `at chance until text`. A later one takes the place of an earlier one, and the key is kept as long as
 * the last of them.
 * KEYS registers · ARGV name, line … → nothing.
 */
export const WRITE: Script = {
  lua: `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local longest = redis.call('PTTL', KEYS[1])
for i = 1, #ARGV, 2 do
  local at, chance, till = string.match(ARGV[i + 1], '^(%d+) (%d+) (%d+) ')
  at, chance, till = tonumber(at), tonumber(chance), tonumber(till)
  local known = redis.call('HGET', KEYS[1], ARGV[i])
  local before, its = string.match(known or '0 0 ', '^(%d+) (%d+) ')
  before, its = tonumber(before), tonumber(its)
  if till > now and (at > before or (at == before and chance > its)) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    longest = math.max(longest, till - now)
  end
end
if longest > 0 then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', longest)) end`,
};

/**
 * Lines that are over leave.
 * KEYS registers · ARGV names … → nothing.
 */
export const FORGET: Script = {
  lua: `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 1, #ARGV do
  local till = string.match(redis.call('HGET', KEYS[1], ARGV[i]) or '', '^%d+ %d+ (%d+) ')
  if till and tonumber(till) <= now then redis.call('HDEL', KEYS[1], ARGV[i]) end
end`,
};

export const SCRIPTS: readonly Script[] = [BUCKET, PLACES, BEAT, TAKE, TELL, WRITE, FORGET];
