import Testing
import Vial

@testable import Items

struct PageStateTests {
    private func tag(_ items: [(Int64, Int64)], next: Cursor? = nil, previous: Cursor? = nil) -> String {
        var state = PageState()
        for (id, updated) in items { state.add(id, updated) }
        return String(decoding: state.tag(next: next, previous: previous).field, as: UTF8.self)
    }

    @Test func `is equal for equal pages, and another one for any other id, time, order or neighbour`() {
        let cursor = Cursor(isBackward: false, id: 2)
        let tags = [
            tag([]), tag([(1, 7)]), tag([(2, 7)]), tag([(1, 8)]), tag([(1, 7), (2, 7)]), tag([(2, 7), (1, 7)]),
            tag([(1, 7)], next: cursor), tag([(1, 7)], previous: cursor),
            tag([(1, 7)], next: Cursor(isBackward: false, id: 3)),
            tag([(1, 7)], next: Cursor(isBackward: false, id: 2, createdAt: 0)),
        ]
        #expect(Set(tags).count == tags.count)
        #expect(tag([(1, 7)]) == tags[1])
    }
}
