/// Events in virtual time, the earliest first. Events of the same moment keep the order in which they were scheduled.
struct EventQueue<Event> {
    private struct Entry {
        let moment: Moment
        let order: Int
        let event: Event
    }

    // A binary heap: the parent of `index` is at `(index - 1) / 2`.
    private var heap: [Entry] = []
    private var count = 0

    var isEmpty: Bool { heap.isEmpty }
    var nextMoment: Moment? { heap.first?.moment }

    mutating func removeAll() {
        heap.removeAll(keepingCapacity: true)
        count = 0
    }

    mutating func schedule(_ event: Event, at moment: Moment) {
        count += 1
        heap.append(Entry(moment: moment, order: count, event: event))
        var index = heap.count - 1
        while index > 0 {
            let parent = (index - 1) / 2
            guard Self.isEarlier(heap[index], heap[parent]) else { break }
            heap.swapAt(index, parent)
            index = parent
        }
    }

    /// Removes and returns the next event if it is due at `moment`.
    mutating func popFirst(until moment: Moment) -> Event? {
        guard let first = heap.first, first.moment <= moment else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return first.event
    }

    private mutating func sink() {
        var index = 0
        while true {
            var least = index
            let left = 2 * index + 1
            if left < heap.count, Self.isEarlier(heap[left], heap[least]) { least = left }
            if left + 1 < heap.count, Self.isEarlier(heap[left + 1], heap[least]) { least = left + 1 }
            if least == index { return }
            heap.swapAt(index, least)
            index = least
        }
    }

    @inline(__always)
    private static func isEarlier(_ one: Entry, _ other: Entry) -> Bool {
        one.moment < other.moment || one.moment == other.moment && one.order < other.order
    }
}
