/// Whether a turn waits a moment for more before it ends: what its end sends costs less the more of it goes at once, to the
/// database above all, but whoever came first waits for the others.
///
/// So a turn waits only where some came together the last time and others could still come, and only as long as the waits
/// bring something: clients that all have their question out already send no other before they are answered.
struct Gathering {
    /// How long a turn waits (200 µs): at half of what two cores can answer a lookup costs PostgreSQL a third less then. Half of
    /// the answers come 0.1 ms later for it, the last of a hundred 0.6 ms earlier.
    static let nanoseconds = 200_000
    /// So many came together that others may be on their way; one that comes alone is not kept waiting.
    static let recentMinimum = 2
    /// So many other descriptors are watched: with fewer, those who came are most of all who could.
    static let othersMinimum = 8
    /// Events that a wait has to bring, on average, to be worth it.
    static let worth = 3.0
    /// Waits that are passed over once they were not.
    static let rest = 64

    private var isAsked = false
    /// What the last waits brought, the latest counting most.
    private var average = 0.0
    /// Waits still to be passed over.
    private var resting = 0

    /// Asks for a wait in this turn.
    ///
    /// - Parameters:
    ///   - recent: how many came together the last time.
    ///   - watched: descriptors of the loop.
    mutating func ask(recent: Int, watched: Int) {
        if recent >= Self.recentMinimum && watched - recent >= Self.othersMinimum { isAsked = true }
    }

    /// Whether this turn waits; then `end` follows.
    mutating func begin() -> Bool {
        guard isAsked else { return false }
        if resting == 0 { return true }
        resting -= 1
        isAsked = false
        return false
    }

    /// The wait brought so many events.
    mutating func end(found: Int) {
        isAsked = false
        // The first after a rest stands for itself.
        average = average < Self.worth ? Double(found) : average + (Double(found) - average) / 8
        if average < Self.worth { resting = Self.rest }
    }
}
