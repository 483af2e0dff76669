import Testing

@testable import AWS

struct CredentialsChainTests {
    /// Numbered credentials that expire `seconds` after the start.
    private static func issue(_ number: Int, seconds: Int64) throws(CredentialsError) -> Credentials {
        try Credentials(
            source: .instance, accessKeyID: "KEY\(number)", secretAccessKey: Redacted("s"),
            expiry: TestTime.start + seconds)
    }

    /// A chain whose source returns these in turn, and the number of fetches.
    private func chain(
        _ time: TestTime, _ answers: [Result<Credentials, CredentialsError>]
    ) -> (chain: CredentialsChain, asked: () -> Int) {
        let count = Log<Void>()
        let chain = CredentialsChain(Environment(), time: time.source) { (_) throws(CredentialsError) in
            count.note(())
            return try answers[min(count.entries.count, answers.count) - 1].get()
        }
        return (chain, { count.entries.count })
    }

    @Test func `variables take precedence`() throws {
        try LoopbackServer { _ in .answer(500) }.run { server in
            var environment = Environment.test(server.url, token: true)
            environment.containerCredentialsFullURI = server.url
            let credentials = try CredentialsChain(environment).current()
            #expect(credentials.source == .environment && credentials.accessKeyID == keys.id)
            #expect(credentials.secretAccessKey.exposed == keys.secret)
            #expect(credentials.sessionToken?.exposed == keys.token && credentials.expiry == nil)
            #expect(server.requests.isEmpty)
        }
    }

    @Test func `one variable without the other is an error`() {
        var environment = Environment.test(nobody)
        environment.secretAccessKey = nil
        #expect(throws: CredentialsError.incompleteEnvironment) { try CredentialsChain(environment).current() }
        environment = Environment.test(nobody)
        environment.accessKeyID = nil
        #expect(throws: CredentialsError.incompleteEnvironment) { try CredentialsChain(environment).current() }
    }

    @Test func `a failing container endpoint is an error`() throws {
        try LoopbackServer { _ in .answer(403) }.run { server in
            var environment = Environment.instance(server.url)
            environment.containerCredentialsFullURI = server.url + "/container"
            #expect(throws: CredentialsError.containerStatus(403)) { try CredentialsChain(environment).current() }
            #expect(server.requests.map(\.path) == ["/container"])
        }
    }

    @Test func `without any source there are no credentials`() {
        var environment = Environment()
        environment.isMetadataServiceDisabled = true
        #expect(throws: CredentialsError.none) { try CredentialsChain(environment).current() }
    }

    @Test func `credentials are kept until they are about to expire`() throws {
        let time = TestTime()
        let (chain, asked) = chain(
            time, [.success(try Self.issue(1, seconds: 3600)), .success(try Self.issue(2, seconds: 7200))])
        #expect(try chain.current().accessKeyID == "KEY1")
        time.pass(.seconds(3600 - Int(CredentialsChain.refreshMarginSeconds) - 1))
        #expect(try chain.current().accessKeyID == "KEY1" && asked() == 1)
        time.pass(.milliseconds(1000))
        #expect(try chain.current().accessKeyID == "KEY2" && asked() == 2)
    }

    @Test func `valid credentials are used while new ones cannot be fetched`() throws {
        let time = TestTime()
        let (chain, asked) = chain(
            time,
            [
                .success(try Self.issue(1, seconds: 600)), .failure(.instance(.status(500))),
                .success(try Self.issue(2, seconds: 7200)),
            ])
        _ = try chain.current()
        time.pass(.milliseconds(400_000))
        #expect(try chain.current().accessKeyID == "KEY1" && asked() == 2)
        #expect(try chain.current().accessKeyID == "KEY1" && asked() == 2, "and the source is left alone for a while")
        time.pass(.milliseconds(Int(CredentialsChain.retryIntervalSeconds)) * 1000)
        #expect(try chain.current().accessKeyID == "KEY2" && asked() == 3)
    }

    @Test func `expired credentials are not used`() throws {
        let time = TestTime()
        let (chain, _) = chain(
            time, [.success(try Self.issue(1, seconds: 600)), .failure(.instance(.status(500)))])
        _ = try chain.current()
        time.pass(.milliseconds(600_000))
        #expect(throws: CredentialsError.instance(.status(500))) { try chain.current() }
    }

    @Test func `credentials received expired are rejected`() throws {
        let (chain, _) = chain(TestTime(), [.success(try Self.issue(1, seconds: 0))])
        #expect(throws: CredentialsError.expired(.instance)) { try chain.current() }
    }

    @Test func `credentials that AWS rejects are fetched again, once`() throws {
        let (chain, asked) = chain(
            TestTime(), [.success(try Self.issue(1, seconds: 3600)), .success(try Self.issue(2, seconds: 3600))])
        let first = try chain.current()
        chain.discard(first)
        #expect(try chain.current().accessKeyID == "KEY2")
        chain.discard(first)
        #expect(try chain.current().accessKeyID == "KEY2" && asked() == 2)
    }
}
