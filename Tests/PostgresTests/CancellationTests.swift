import Platform
import Testing

@testable import Postgres

struct CancellationTests {
    private let grace = Cancellation.grace
    private let patience = Cancellation.patience

    /// A moment so many nanoseconds after another one.
    private func at(_ nanoseconds: UInt64) -> Instant { Instant(nanoseconds: nanoseconds) }

    @Test func `a deadline that passes asks the server once, and nothing new is sent until it has heard`() {
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

    @Test func `a server that does not react in time costs the connection`() {
        var cancellation = Cancellation()
        _ = cancellation.deadlinePassed(now: at(1000))
        cancellation.requestEnded(now: at(1001))
        #expect(cancellation.limit == at(1000) + grace)
        let action = cancellation.deadlinePassed(now: at(1000) + grace)
        #expect(action == .giveUp)
    }

    @Test func `a server that reacts has time for what is awaited, and little for what is not`() {
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

    @Test func `a request that does not arrive costs the connection, however often the server is heard meanwhile`() {
        var cancellation = Cancellation()
        _ = cancellation.deadlinePassed(now: at(1000))
        let isFree = (0..<3).map { _ in cancellation.nothingRuns() }
        #expect(isFree == [false, false, false])
        #expect(cancellation.limit == at(1000) + patience)
        let early = cancellation.deadlinePassed(now: at(999) + patience)
        let late = cancellation.deadlinePassed(now: at(1000) + patience)
        #expect(early == .wait && late == .giveUp)
    }

    @Test func `what the server stops while a request is open was struck in another's place`() {
        var cancellation = Cancellation()
        #expect(!cancellation.struckAnother(sent: at(0), ownLimit: .nanoseconds(100), now: at(50)))
        _ = cancellation.deadlinePassed(now: at(1000))
        #expect(cancellation.struckAnother(sent: at(0), ownLimit: .nanoseconds(100), now: at(5000)))
    }

    @Test func `a commit may be met by a request that has stopped nothing, and by no other`() {
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

    @Test func `what ran into its own limit was not stopped by the request, which may still meet a commit`() {
        var cancellation = Cancellation()
        _ = cancellation.deadlinePassed(now: at(1000))
        cancellation.struck(sent: at(0), ownLimit: .nanoseconds(1000), now: at(1001))
        #expect(cancellation.mayMeetCommit)
        cancellation.requestEnded(now: at(1002))
        cancellation.struck(sent: at(900), ownLimit: .nanoseconds(1000), now: at(1003))
        #expect(!cancellation.mayMeetCommit)
    }

    @Test func `what nobody waits for has an end, however often the server is heard`() {
        var cancellation = Cancellation()
        _ = cancellation.deadlinePassed(now: at(1000))
        cancellation.requestEnded(now: at(1001))
        let end = at(1000) + patience
        // A server that sends notices.
        for now in stride(from: 2000, to: end.nanoseconds, by: Int(grace.nanoseconds / 2)).map(at) {
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
        _ = cancellation.deadlinePassed(now: at(1000))
        cancellation.requestEnded(now: at(2000))
        _ = cancellation.nothingRuns()
        let end = at(2000) + Cancellation.lateLimit
        let (before, sent) = (at(end.nanoseconds - 1), at(end.nanoseconds - 2))
        #expect(cancellation.struckAnother(sent: sent, ownLimit: .nanoseconds(100), now: before))
        #expect(!cancellation.struckAnother(sent: sent, ownLimit: .nanoseconds(100), now: end))
        #expect(!cancellation.struckAnother(sent: at(2500), ownLimit: .nanoseconds(100), now: at(2600)))
    }

    @Test func `a request that found too many others on their way is made again, while it is of use`() {
        var cancellation = Cancellation()
        #expect(!cancellation.mayAskAgain(isBusy: true, now: at(1000)))
        _ = cancellation.deadlinePassed(now: at(1000))
        #expect(cancellation.mayAskAgain(isBusy: true, now: at(999) + patience))
        #expect(!cancellation.mayAskAgain(isBusy: false, now: at(1001)))
        #expect(!cancellation.mayAskAgain(isBusy: true, now: at(1000) + patience))
    }
}
