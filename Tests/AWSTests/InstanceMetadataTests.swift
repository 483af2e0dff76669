import Testing

@testable import AWS

/// Responds as IMDS does with version 1 disabled.
struct StrictMetadata: Sendable {
    static let token = "AQAEAtoken=="
    var values: [String: String] = [
        "instance-id": "i-1234567890abcdef0", "placement/region": "eu-west-1",
        "iam/security-credentials/": "items-role", "iam/security-credentials/items-role": credentials,
    ]

    static let credentials = """
        {"Code":"Success","LastUpdated":"2024-11-01T06:00:00Z","Type":"AWS-HMAC","AccessKeyId":"\(keys.id)",\
        "SecretAccessKey":"\(keys.secret)","Token":"\(keys.token)","Expiration":"2034-11-01T12:00:00Z"}
        """

    func reply(to request: LoopbackServer.Request) -> LoopbackServer.Reply {
        if request.path == "/latest/api/token" {
            let seconds = request.headers["x-aws-ec2-metadata-token-ttl-seconds"].flatMap { Int($0) }
            guard request.method == "PUT", let seconds, 1...21_600 ~= seconds else { return .answer(400) }
            // IMDS rejects a forwarded request.
            guard request.headers["x-forwarded-for"] == nil else { return .answer(403) }
            return .answer(200, Self.token)
        }
        guard request.headers["x-aws-ec2-metadata-token"] == Self.token else { return .answer(401) }
        let prefix = "/latest/meta-data/"
        guard request.path.hasPrefix(prefix), let value = values[String(request.path.dropFirst(prefix.count))] else {
            return .answer(404)
        }
        return .answer(200, value)
    }
}

struct InstanceMetadataTests {
    private func service(_ url: String, attemptLimit: Int = 2, timeout: Int = 2000) throws -> InstanceMetadata {
        try #require(InstanceMetadata(.instance(url), attemptLimit: attemptLimit, timeout: .milliseconds(timeout)))
    }

    @Test func `reads with a token`() throws {
        try LoopbackServer(StrictMetadata().reply).run { server in
            let session = try service(server.url).open()
            #expect(try session.read("instance-id") == "i-1234567890abcdef0")
            #expect(try session.read("placement/region") == "eu-west-1")
            #expect(server.requests.map(\.method) == ["PUT", "GET", "GET"])
        }
    }

    @Test func `an endpoint may end in a slash`() throws {
        try LoopbackServer(StrictMetadata().reply).run { server in
            let id = try service(server.url + "/").open().read("instance-id")
            #expect(id == "i-1234567890abcdef0")
        }
    }

    @Test func `values the service does not have are nil`() throws {
        try LoopbackServer(StrictMetadata().reply).run { server in
            let action = try service(server.url).open().read("spot/action")
            #expect(action == nil)
        }
    }

    @Test func `the error of an unanswered token request names the hop limit`() throws {
        try LoopbackServer { _ in .silence }.run { server in
            let error = #expect(throws: MetadataError.tokenTimedOut) {
                try service(server.url, timeout: 100).open()
            }
            #expect(error.map { "\($0)".contains("hop limit") && "\($0)".contains("HttpPutResponseHopLimit") } == true)
            #expect(server.requests.count == 2, "two tries")
        }
    }

    @Test func `an unreachable service is a transfer error`() {
        #expect(throws: MetadataError.transfer(.unreachable(host: "127.0.0.1"))) { try service(nobody).open() }
    }

    @Test func `a server error is retried once`() throws {
        let script = Script(true, false)
        try LoopbackServer { script.next() ? .answer(500) : StrictMetadata().reply(to: $0) }.run { server in
            let id = try service(server.url).open().read("instance-id")
            #expect(id == "i-1234567890abcdef0" && server.requests.count == 3)
        }
    }

    @Test(arguments: [400, 403, 503]) func `a refusal reports its status`(status: Int) throws {
        try LoopbackServer { _ in .answer(status) }.run { server in
            #expect(throws: MetadataError.status(status)) { try service(server.url).open() }
        }
    }

    @Test func `an invalid token is not used`() throws {
        try LoopbackServer { _ in .answer(200, "<html>\n") }.run { server in
            #expect(throws: MetadataError.malformed) { try service(server.url).open() }
        }
    }

    @Test func `is off when the variable disables it`() {
        var environment = Environment.instance(nobody)
        environment.isMetadataServiceDisabled = true
        #expect(InstanceMetadata(environment) == nil)
    }

    @Test func `returns the credentials of the instance's role`() throws {
        try LoopbackServer(StrictMetadata().reply).run { server in
            let credentials = try CredentialsChain(.instance(server.url)).current()
            #expect(credentials.source == .instance && credentials.accessKeyID == keys.id)
            #expect(
                credentials.secretAccessKey.exposed == keys.secret && credentials.sessionToken?.exposed == keys.token)
        }
    }

    @Test func `an instance without a role has no credentials`() throws {
        var metadata = StrictMetadata()
        metadata.values = [:]
        try LoopbackServer(metadata.reply).run { server in
            #expect(throws: CredentialsError.instance(.noRole)) {
                try CredentialsChain(.instance(server.url)).current()
            }
        }
    }

    @Test func `a role's name cannot change the path`() throws {
        var metadata = StrictMetadata()
        metadata.values["iam/security-credentials/"] = "../../user-data"
        try LoopbackServer(metadata.reply).run { server in
            #expect(throws: CredentialsError.instance(.malformed)) {
                try CredentialsChain(.instance(server.url)).current()
            }
        }
    }
}
