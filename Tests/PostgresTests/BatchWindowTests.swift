import Testing

@testable import Postgres

struct BatchWindowTests {
    /// Enough descriptors for a wait after a batch of `minimumBatch`.
    private static let watched = BatchWindow.minimumBatch + BatchWindow.minimumSiblings
    private static let much = Int(BatchWindow.minimumYield) + 1

    private var window = BatchWindow()

    private mutating func opens(lastBatch: Int = BatchWindow.minimumBatch, watched: Int = watched) -> Bool {
        window.opens(lastBatch: lastBatch, watched: watched)
    }

    /// A wait in vain, and the iterations that do not wait after it.
    private mutating func skip() {
        _ = opens()
        window.closed(events: 0)
        for _ in 0..<BatchWindow.skippedIterations { _ = opens() }
    }

    @Test mutating func `opens when the batch before had several statements and other clients could add to this one`() {
        let isOpen = opens()
        #expect(isOpen)
    }

    @Test mutating func `a statement that comes alone is not kept waiting`() {
        let isOpen = opens(lastBatch: BatchWindow.minimumBatch - 1, watched: 1000)
        #expect(!isOpen)
    }

    @Test mutating func `stays closed where hardly any other descriptors are watched`() {
        let isOpen = opens(watched: Self.watched - 1)
        #expect(!isOpen)
    }

    @Test mutating func `opens again and again while waiting pays`() {
        for _ in 0..<1000 {
            let isOpen = opens()
            #expect(isOpen)
            window.closed(events: Self.much)
        }
    }

    @Test mutating func `one wait in vain among many does not close it`() {
        for _ in 0..<20 {
            _ = opens()
            window.closed(events: Self.much)
        }
        _ = opens()
        window.closed(events: 0)
        let isOpen = opens()
        #expect(isOpen)
    }

    @Test mutating func `after a wait in vain it stays closed for a number of iterations, and then tries again`() {
        for _ in 0..<3 {
            let isOpen = opens()
            #expect(isOpen)
            window.closed(events: 0)
            for _ in 0..<BatchWindow.skippedIterations {
                let isOpen = opens()
                #expect(!isOpen)
            }
        }
    }

    @Test mutating func `a try that brings enough opens it for good`() {
        skip()
        _ = opens()
        window.closed(events: Self.much)
        let isOpen = opens()
        #expect(isOpen)
    }
}
