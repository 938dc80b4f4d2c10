-- wrk: the 50 customers of the committed log in turn.
local number = 0
function request()
    number = number % 50 + 1
    return wrk.format("GET", "/customers/cust_" .. number .. "/stats?from=2024-09-03")
end
