/// A timer on a loop's monotonic clock. It can be moved or cancelled until it fires.
///
/// Moving it later is one store: the wheel notices when the old time comes.
public final class Deadline {
    /// When it fires, in nanoseconds on the loop's clock; nil while it is not armed.
    public fileprivate(set) var expiry: UInt64?
    /// Called when it fires. Settable, for an owner that must exist before the action can refer to it.
    var action: () -> Void
    /// Whether it was removed from the wheel because its time came, and has not been run, moved or cancelled since.
    fileprivate var isDue = false
    /// The wheel's slot that holds it; -1 if none does.
    fileprivate var slot = -1
    fileprivate var index = -1
    /// The tick the slot was chosen for: never later than `expiry`.
    fileprivate var queuedTick: UInt64 = 0

    init(action: @escaping () -> Void = {}) {
        self.action = action
    }
}

/// The timers of one loop in a ring of slots: arming, moving and cancelling take constant time.
///
/// A timer never fires early. It fires at most one tick late, or at most eight ticks if it was armed for one second or
/// more.
struct DeadlineWheel {
    /// A tick is 2^24 ns (16.8 ms): fine enough for timeouts in whole milliseconds, most of which are seconds.
    static let tickShift: UInt64 = 24
    /// One revolution takes 8.6 s. Timers further away are checked once per revolution.
    static let slotCount = 512
    /// Timers further away than this many ticks (1 s) share slots, so that idle connections rarely wake the loop.
    static let fineTicks: UInt64 = 60
    static let coarseMask: UInt64 = 7

    private var slots: [[Deadline]] = Array(repeating: [], count: slotCount)
    private var occupied = InlineArray<8, UInt64>(repeating: 0)
    /// The last tick whose slot has been checked.
    private var currentTick: UInt64
    private(set) var count = 0
    /// The time of the last `expired` call.
    private var lastMoment: UInt64 = 0

    init(now: UInt64) {
        currentTick = now >> Self.tickShift
    }

    /// Arms a timer, or moves it, to `expiry`.
    mutating func arm(_ deadline: Deadline, at expiry: UInt64) {
        // It stays due: arming it in every loop iteration for a time in the past would otherwise postpone it for ever.
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

    /// When the loop must call `expired` again; nil when no timer is armed. May be before the first expiry, never after
    /// its tick.
    func nextLook() -> UInt64? {
        if count == 0 { return nil }
        var distance: UInt64 = 1
        while distance <= UInt64(Self.slotCount) {
            let slot = Int((currentTick + distance) % UInt64(Self.slotCount))
            // This slot and the later ones of the same word, nearest first.
            let word = occupied[slot / 64] >> UInt64(slot % 64)
            if word != 0 { return (currentTick + distance + UInt64(word.trailingZeroBitCount)) << Self.tickShift }
            distance += UInt64(64 - slot % 64)
        }
        return nil
    }

    /// Removes and returns every timer whose time has passed.
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
            // Removed first, because a timer that is not due goes back in, possibly into the same slot.
            let candidates = slots[slot]
            slots[slot].removeAll(keepingCapacity: true)
            occupied[slot / 64] &= ~(1 << UInt64(slot % 64))
            count -= candidates.count
            for deadline in candidates {
                deadline.slot = -1
                guard let expiry = deadline.expiry else { fatalError("the wheel holds an unarmed deadline") }
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
        // The tick after the one that contains `expiry`, because that whole tick must have passed.
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

    /// Runs the action of a timer that `expired` returned.
    static func fire(_ deadline: Deadline) {
        // An event or another action may have armed or cancelled it since.
        guard deadline.isDue else { return }
        deadline.isDue = false
        deadline.action()
    }
}
