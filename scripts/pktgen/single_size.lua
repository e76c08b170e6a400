-- SPDX-License-Identifier: BSD-3-Clause
-- Frames of one size after the other, as fast as the port sends them.
local drip = require "drip"

drip.main(function()
  for _, size in ipairs(drip.sizes) do
    drip.prepare(size)
    drip.run(size .. " bytes", { frame_bytes = size - 4 })
  end
end)
