import Testing

@testable import Postgres

struct TransactionEndTests {
    private let error = DatabaseError.server(.init(sqlState: "23505", message: "no", constraint: nil))

    private func end(
        _ failure: DatabaseError? = nil, isStale: Bool = false, count: Int = 1, isDoubtful: Bool = false,
        isComplete: Bool = true
    ) -> TransactionEnd {
        TransactionEnd(
            failure: failure, isStale: isStale, count: count, isDoubtful: isDoubtful, isComplete: isComplete)
    }

    @Test func `success is decided, unless the commit may have stopped waiting for a standby`() {
        #expect(end(count: 3) == .decided)
        #expect(end(count: 3, isDoubtful: true) == .unconfirmed)
    }

    @Test(arguments: [false, true])
    func `an error is certain, even if a wait for a standby was cancelled`(isDoubtful: Bool) {
        #expect(end(error, isDoubtful: isDoubtful) == .decided)
        #expect(end(error, count: 2, isDoubtful: isDoubtful) == .undone)
        #expect(end(error, isStale: true, isDoubtful: isDoubtful) == .stale(error))
        #expect(end(error, isStale: true, count: 2, isDoubtful: isDoubtful) == .stale(error))
    }

    @Test(arguments: [false, true])
    func `skipped statements without a failure have an unknown outcome`(isDoubtful: Bool) {
        #expect(end(count: 2, isDoubtful: isDoubtful, isComplete: false) == .unknown)
        #expect(end(isDoubtful: isDoubtful, isComplete: false) == .unknown)
        // After a failed statement, skipping is expected.
        #expect(end(error, count: 2, isDoubtful: isDoubtful, isComplete: false) == .undone)
    }

    @Test func `a single statement with a missing object fails soon after a retirement`() {
        #expect(TransactionEnd.Repeat(isConnectionRetired: true, isAlone: true, count: 2) == .elsewhere)
        #expect(TransactionEnd.Repeat(isConnectionRetired: false, isAlone: false, count: 2) == .alone)
        #expect(TransactionEnd.Repeat(isConnectionRetired: false, isAlone: false, count: 1) == .none)
        // Its neighbours do not matter: it would be repeated for ever.
        #expect(TransactionEnd.Repeat(isConnectionRetired: false, isAlone: true, count: 2) == .none)
    }

    @Test(
        arguments: [
            ("01000", "syncrep.c", "annulation de l'attente", true), ("57P01", "syncrep.c", "", true),
            ("01000", nil, "canceling wait for synchronous replication due to user request", true),
            ("01000", "pl_exec.c", "something else", false), ("00000", "syncrep.c", "", false), (nil, nil, nil, false),
        ] as [(String?, String?, String?, Bool)])
    func `the end of a wait for a standby is recognised by its source location, in any language`(
        state: String?, file: String?, message: String?, expected: Bool
    ) {
        #expect(Handle.isEndOfReplicationWait(state: state, file: file, message: message) == expected)
    }
}
