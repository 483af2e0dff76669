import Platform
import Testing

@testable import Postgres

struct CancellationTests {
    private let grace = Cancellation.grace
    private let patience = Cancellation.patience

    /// The instant `nanoseconds` after zero.
    private func at(_ nanoseconds: UInt64) -> Instant { Instant(nanoseconds: nanoseconds) }

    @Test func `a passed deadline sends one cancel request, and nothing new is sent until the server received it`() {
        var cancellation = Cancellation()
        let first = cancellation.deadlinePassed(now: at(1000))
        #expect(first == .ask)
        #expect(cancellation.isOnItsWay && cancellation.isOpen)
        let second = cancellation.deadlinePassed(now: at(1001))
        #expect(second == .wait)
        let isFreeBefore = cancellation.nothingRuns()
        cancellation.requestEnded(now: at(1002))
        let isFreeAfter = cancellation.nothingRuns()
        #expect(!isFreeBefore && isFreeAfter)
        #expect(!cancellation.isOpen && cancellation.limit == nil)
    }

    @Test func `a server that does not react in time loses the connection`() {
        var cancellation = Cancellation()
        _ = cancellation.deadlinePassed(now: at(1000))
        cancellation.requestEnded(now: at(1001))
        #expect(cancellation.limit == at(1000) + grace)
        let action = cancellation.deadlinePassed(now: at(1000) + grace)
        #expect(action == .giveUp)
    }

    @Test func `after a reaction, awaited statements keep their time and others get a short limit`() {
        var cancellation = Cancellation()
        _ = cancellation.deadlinePassed(now: at(1000))
        cancellation.requestEnded(now: at(1001))
        cancellation.serverReacted(isAwaited: true, now: at(1002))
        #expect(cancellation.limit == nil)
        let action = cancellation.deadlinePassed(now: at(0) + grace * 2)
        #expect(action == .ask)
        cancellation.serverReacted(isAwaited: false, now: at(0) + grace * 2)
        #expect(cancellation.limit == at(0) + grace * 3)
    }

    @Test func `a request that does not arrive loses the connection, even if the server keeps sending`() {
        var cancellation = Cancellation()
        _ = cancellation.deadlinePassed(now: at(1000))
        let isFree = (0..<3).map { _ in cancellation.nothingRuns() }
        #expect(isFree == [false, false, false])
        #expect(cancellation.limit == at(1000) + patience)
        let early = cancellation.deadlinePassed(now: at(999) + patience)
        let late = cancellation.deadlinePassed(now: at(1000) + patience)
        #expect(early == .wait && late == .giveUp)
    }

    @Test func `a statement stopped while a request is open may have been stopped in place of another`() {
        var cancellation = Cancellation()
        #expect(!cancellation.struckAnother(sent: at(0), ownLimit: .nanoseconds(100), now: at(50)))
        _ = cancellation.deadlinePassed(now: at(1000))
        #expect(cancellation.struckAnother(sent: at(0), ownLimit: .nanoseconds(100), now: at(5000)))
    }

    @Test func `only a request that stopped no statement may have hit a commit`() {
        var cancellation = Cancellation()
        #expect(!cancellation.mayMeetCommit)
        _ = cancellation.deadlinePassed(now: at(1000))
        #expect(cancellation.mayMeetCommit)
        cancellation.struck(sent: at(0), ownLimit: .nanoseconds(5000), now: at(1001))
        #expect(!cancellation.mayMeetCommit)
        cancellation.requestEnded(now: at(1001))
        cancellation.serverReacted(isAwaited: true, now: at(1002))
        _ = cancellation.deadlinePassed(now: at(2000))
        #expect(cancellation.mayMeetCommit)
        cancellation.requestEnded(now: at(2001))
        _ = cancellation.nothingRuns()
        #expect(!cancellation.mayMeetCommit)
    }

    @Test func `a statement that reached its own limit was not stopped by the request, which may still hit a commit`() {
        var cancellation = Cancellation()
        _ = cancellation.deadlinePassed(now: at(1000))
        cancellation.struck(sent: at(0), ownLimit: .nanoseconds(1000), now: at(1001))
        #expect(cancellation.mayMeetCommit)
        cancellation.requestEnded(now: at(1002))
        cancellation.struck(sent: at(900), ownLimit: .nanoseconds(1000), now: at(1003))
        #expect(!cancellation.mayMeetCommit)
    }

    @Test func `statements without a caller are given up in bounded time, even if the server keeps sending`() {
        var cancellation = Cancellation()
        _ = cancellation.deadlinePassed(now: at(1000))
        cancellation.requestEnded(now: at(1001))
        let end = at(1000) + patience
        // The server keeps sending notices.
        for now in stride(from: 2000, to: end.nanoseconds, by: Int(grace.nanoseconds / 2)).map(at) {
            cancellation.serverReacted(isAwaited: false, now: now)
            let isOver = cancellation.limit.map { $0 <= now } ?? true
            #expect(!isOver)
        }
        #expect(cancellation.limit == end)
        let action = cancellation.deadlinePassed(now: end)
        #expect(action == .giveUp)
    }

    @Test func `a request may stop a later statement for a limited time, unless the statement reached its own limit`() {
        var cancellation = Cancellation()
        _ = cancellation.deadlinePassed(now: at(1000))
        cancellation.requestEnded(now: at(2000))
        _ = cancellation.nothingRuns()
        let end = at(2000) + Cancellation.lateLimit
        let (before, sent) = (at(end.nanoseconds - 1), at(end.nanoseconds - 2))
        #expect(cancellation.struckAnother(sent: sent, ownLimit: .nanoseconds(100), now: before))
        #expect(!cancellation.struckAnother(sent: sent, ownLimit: .nanoseconds(100), now: end))
        #expect(!cancellation.struckAnother(sent: at(2500), ownLimit: .nanoseconds(100), now: at(2600)))
    }

    @Test func `a request refused because of too many others is repeated while it is useful`() {
        var cancellation = Cancellation()
        #expect(!cancellation.mayAskAgain(isBusy: true, now: at(1000)))
        _ = cancellation.deadlinePassed(now: at(1000))
        #expect(cancellation.mayAskAgain(isBusy: true, now: at(999) + patience))
        #expect(!cancellation.mayAskAgain(isBusy: false, now: at(1001)))
        #expect(!cancellation.mayAskAgain(isBusy: true, now: at(1000) + patience))
    }
}
