/// One moment on a loop's monotonic clock at which something is to happen, unless it is moved or cancelled first.
///
/// Moving it later is one store: the wheel finds out when the old moment comes.
public final class Deadline {
    /// The moment in nanoseconds of the loop's clock; nil while it is not armed.
    public fileprivate(set) var expiry: UInt64?
    /// What happens then; set anew by an owner that has to exist before its action can name it.
    var action: () -> Void
    /// Taken out of the wheel because its moment came, and not yet run, moved or cancelled.
    fileprivate var isDue = false
    /// Where the wheel holds it; -1 when it does not.
    fileprivate var slot = -1
    fileprivate var index = -1
    /// The tick the slot was chosen for: never later than `expiry`.
    fileprivate var queuedTick: UInt64 = 0

    init(action: @escaping () -> Void = {}) {
        self.action = action
    }
}

/// Deadlines of one loop in a ring of slots: arming, moving and cancelling take constant time.
///
/// A deadline fires at most one tick late, one of a second or more at most eight; never early.
struct DeadlineWheel {
    /// 2^24 ns: 16.8 ms, fine enough for timeouts that are given in whole milliseconds and mostly in seconds.
    static let tickShift: UInt64 = 24
    /// 8.6 s a turn of the ring. Longer deadlines are looked at once a turn.
    static let slotCount = 512
    /// Deadlines further away than this many ticks (1 s) share slots, so that idle connections wake a loop seldom.
    static let fineTicks: UInt64 = 60
    static let coarseMask: UInt64 = 7

    private var slots: [[Deadline]] = Array(repeating: [], count: slotCount)
    private var occupied = InlineArray<8, UInt64>(repeating: 0)
    /// Every slot up to and including this tick has been looked at.
    private var currentTick: UInt64
    private(set) var count = 0
    /// When the wheel was last asked for what has expired.
    private var lastMoment: UInt64 = 0

    init(now: UInt64) {
        currentTick = now >> Self.tickShift
    }

    /// Arms, or moves, a deadline to `expiry`.
    mutating func arm(_ deadline: Deadline, at expiry: UInt64) {
        // It fires all the same: who arms it at every turn for a moment that has passed would else put it off for ever.
        if deadline.isDue && expiry <= lastMoment { return }
        deadline.expiry = expiry
        deadline.isDue = false
        if deadline.slot >= 0 {
            if expiry >> Self.tickShift >= deadline.queuedTick { return }
            remove(deadline)
        }
        insert(deadline, expiry)
    }

    mutating func cancel(_ deadline: Deadline) {
        deadline.expiry = nil
        deadline.isDue = false
        if deadline.slot >= 0 { remove(deadline) }
    }

    /// When the loop has to look again: nil when nothing is armed. May be before the first expiry, never after its tick.
    func nextLook() -> UInt64? {
        if count == 0 { return nil }
        var distance: UInt64 = 1
        while distance <= UInt64(Self.slotCount) {
            let slot = Int((currentTick + distance) % UInt64(Self.slotCount))
            // The slots of one word from this one on, the nearest first.
            let word = occupied[slot / 64] >> UInt64(slot % 64)
            if word != 0 { return (currentTick + distance + UInt64(word.trailingZeroBitCount)) << Self.tickShift }
            distance += UInt64(64 - slot % 64)
        }
        return nil
    }

    /// Removes and returns every deadline whose moment has passed.
    mutating func expired(now: UInt64) -> [Deadline] {
        lastMoment = now
        let target = now >> Self.tickShift
        if target <= currentTick || count == 0 {
            currentTick = max(currentTick, target)
            return []
        }
        var due: [Deadline] = []
        let last = min(target, currentTick + UInt64(Self.slotCount))
        var tick = currentTick
        currentTick = target
        while tick < last {
            tick += 1
            let slot = Int(tick % UInt64(Self.slotCount))
            if occupied[slot / 64] & (1 << UInt64(slot % 64)) == 0 { continue }
            // Taken out first: a deadline that is not due yet goes back in, perhaps into this very slot.
            let candidates = slots[slot]
            slots[slot].removeAll(keepingCapacity: true)
            occupied[slot / 64] &= ~(1 << UInt64(slot % 64))
            count -= candidates.count
            for deadline in candidates {
                deadline.slot = -1
                guard let expiry = deadline.expiry else { fatalError("an unarmed deadline stands in the wheel") }
                if expiry <= now {
                    deadline.expiry = nil
                    deadline.isDue = true
                    due.append(deadline)
                } else {
                    insert(deadline, expiry)
                }
            }
        }
        return due
    }

    private mutating func insert(_ deadline: Deadline, _ expiry: UInt64) {
        // The tick after the one it falls into: the whole of its own tick must have passed.
        var tick = max((expiry >> Self.tickShift) + 1, currentTick + 1)
        if tick - currentTick > Self.fineTicks { tick = (tick + Self.coarseMask) & ~Self.coarseMask }
        let slot = Int(tick % UInt64(Self.slotCount))
        deadline.slot = slot
        deadline.index = slots[slot].count
        deadline.queuedTick = tick - 1
        slots[slot].append(deadline)
        occupied[slot / 64] |= 1 << UInt64(slot % 64)
        count += 1
    }

    private mutating func remove(_ deadline: Deadline) {
        let slot = deadline.slot
        guard let moved = slots[slot].popLast() else { fatalError("a queued deadline is not in its slot") }
        if moved !== deadline {
            slots[slot][deadline.index] = moved
            moved.index = deadline.index
        }
        if slots[slot].isEmpty { occupied[slot / 64] &= ~(1 << UInt64(slot % 64)) }
        deadline.slot = -1
        count -= 1
    }

    /// Runs the action of a deadline that `expired` returned.
    static func fire(_ deadline: Deadline) {
        // An event or another action may have armed it anew or cancelled it meanwhile.
        guard deadline.isDue else { return }
        deadline.isDue = false
        deadline.action()
    }
}
