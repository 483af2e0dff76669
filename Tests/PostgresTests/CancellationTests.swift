import Testing

@testable import Postgres

struct CancellationTests {
    private let grace = Pool.cancelGrace

    @Test func `a deadline that passes asks the server once, and nothing new is sent until it has heard`() {
        var cancellation = Cancellation()
        let first = cancellation.deadlinePassed(now: 1000)
        #expect(first == .ask)
        #expect(cancellation.isOnItsWay && cancellation.isOpen)
        let second = cancellation.deadlinePassed(now: 1001)
        #expect(second == .wait)
        let isFreeBefore = cancellation.nothingRuns()
        cancellation.requestEnded(now: 1002)
        let isFreeAfter = cancellation.nothingRuns()
        #expect(!isFreeBefore && isFreeAfter)
        #expect(!cancellation.isOpen && cancellation.limit == nil)
    }

    @Test func `a server that does not react in time costs the connection`() {
        var cancellation = Cancellation()
        _ = cancellation.deadlinePassed(now: 1000)
        cancellation.requestEnded(now: 1001)
        #expect(cancellation.limit == 1000 + grace)
        let action = cancellation.deadlinePassed(now: 1000 + grace)
        #expect(action == .giveUp)
    }

    @Test func `a server that reacts has time for what is awaited, and little for what is not`() {
        var cancellation = Cancellation()
        _ = cancellation.deadlinePassed(now: 1000)
        cancellation.requestEnded(now: 1001)
        cancellation.serverReacted(isAwaited: true, now: 1002)
        #expect(cancellation.limit == nil)
        let action = cancellation.deadlinePassed(now: 2 * grace)
        #expect(action == .ask)
        cancellation.serverReacted(isAwaited: false, now: 2 * grace)
        #expect(cancellation.limit == 3 * grace)
    }

    @Test func `a request that does not arrive costs the connection, however often the server is heard meanwhile`() {
        var cancellation = Cancellation()
        _ = cancellation.deadlinePassed(now: 1000)
        let isFree = (0..<3).map { _ in cancellation.nothingRuns() }
        #expect(isFree == [false, false, false])
        #expect(cancellation.limit == 1000 + Pool.cancelPatience)
        let early = cancellation.deadlinePassed(now: 1000 + Pool.cancelPatience - 1)
        let late = cancellation.deadlinePassed(now: 1000 + Pool.cancelPatience)
        #expect(early == .wait && late == .giveUp)
    }

    @Test func `what the server stops while a request is open was struck in another's place`() {
        var cancellation = Cancellation()
        #expect(!cancellation.struckAnother(sent: 0, ownLimit: 100, now: 50))
        _ = cancellation.deadlinePassed(now: 1000)
        #expect(cancellation.struckAnother(sent: 0, ownLimit: 100, now: 5000))
    }

    @Test func `a commit may be met by a request that has stopped nothing, and by no other`() {
        var cancellation = Cancellation()
        #expect(!cancellation.mayMeetCommit)
        _ = cancellation.deadlinePassed(now: 1000)
        #expect(cancellation.mayMeetCommit)
        cancellation.struck(sent: 0, ownLimit: 5000, now: 1001)
        #expect(!cancellation.mayMeetCommit)
        cancellation.requestEnded(now: 1001)
        cancellation.serverReacted(isAwaited: true, now: 1002)
        _ = cancellation.deadlinePassed(now: 2000)
        #expect(cancellation.mayMeetCommit)
        cancellation.requestEnded(now: 2001)
        _ = cancellation.nothingRuns()
        #expect(!cancellation.mayMeetCommit)
    }

    @Test func `what ran into its own limit was not stopped by the request, which may still meet a commit`() {
        var cancellation = Cancellation()
        _ = cancellation.deadlinePassed(now: 1000)
        cancellation.struck(sent: 0, ownLimit: 1000, now: 1001)
        #expect(cancellation.mayMeetCommit)
        cancellation.requestEnded(now: 1002)
        cancellation.struck(sent: 900, ownLimit: 1000, now: 1003)
        #expect(!cancellation.mayMeetCommit)
    }

    @Test func `what nobody waits for has an end, however often the server is heard`() {
        var cancellation = Cancellation()
        _ = cancellation.deadlinePassed(now: 1000)
        cancellation.requestEnded(now: 1001)
        let end = 1000 + Pool.cancelPatience
        // A server that sends notices.
        for now in stride(from: 2000, to: end, by: Int(grace / 2)) {
            cancellation.serverReacted(isAwaited: false, now: now)
            let isOver = cancellation.limit.map { $0 <= now } ?? true
            #expect(!isOver)
        }
        #expect(cancellation.limit == end)
        let action = cancellation.deadlinePassed(now: end)
        #expect(action == .giveUp)
    }

    @Test func `a request may strike late, but not for ever, and not what ran for as long as it may`() {
        var cancellation = Cancellation()
        _ = cancellation.deadlinePassed(now: 1000)
        cancellation.requestEnded(now: 2000)
        _ = cancellation.nothingRuns()
        let end = 2000 + Cancellation.lateLimit
        #expect(cancellation.struckAnother(sent: end - 2, ownLimit: 100, now: end - 1))
        #expect(!cancellation.struckAnother(sent: end - 2, ownLimit: 100, now: end))
        #expect(!cancellation.struckAnother(sent: 2500, ownLimit: 100, now: 2600))
    }
}
