-- Generic cell rate algorithm (ITU-T I.371): one timestamp a key, the theoretical arrival time of the next request.
-- KEYS[1] the limiter; ARGV: requests asked for, burst (requests), period (microseconds).
-- Grants as many of the requests as fit, on Redis's own clock.
-- Answers {granted, remaining, microseconds until the limiter is full again, microseconds until one more fits}.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local wanted, burst, period = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local interval = period / burst
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local room = math.floor((now + period - arrival) / interval + 0.000001)
local granted = math.max(0, math.min(wanted, room))
if granted > 0 then
  arrival = arrival + granted * interval
  redis.call('SET', KEYS[1], string.format('%.0f', arrival), 'PX', math.ceil((arrival - now) / 1000) + 1)
end
local wait = math.max(0, math.ceil(arrival + interval - period - now))
return {granted, math.max(0, room - granted), math.ceil(arrival - now), wait}
