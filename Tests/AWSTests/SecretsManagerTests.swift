import FoundationEssentials
import Platform
import Testing

@testable import AWS

/// The body of a GetSecretValue response.
private func envelope(_ secret: String) -> String {
    let escaped = secret.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] }
    return """
        {"ARN":"arn:aws:secretsmanager:eu-west-1:1:secret:items-AbCdEf","Name":"items","SecretString":"\(String(escaped))",\
        "VersionId":"a","VersionStages":["AWSCURRENT"],"CreatedDate":1.7e9}
        """
}

private func fault(_ code: String, _ message: String = "No.") -> String {
    #"{"__type":"\#(code)","message":"\#(message)"}"#
}

private let secret = #"{"username":"app","password":"p\"w"}"#

struct SecretsManagerTests {
    private func manager(
        _ environment: Environment, id: String = "items/db", time: TestTime = TestTime(),
        observe: @escaping @Sendable (SecretEvent) -> Void = { _ in }
    ) -> SecretsManager {
        SecretsManager(secretID: id, environment: environment, time: time.source, observe: observe)
    }

    @Test func `requests the secret's value, signed and with the token`() throws {
        try LoopbackServer { _ in .answer(200, envelope(secret)) }.run { server in
            let found = try manager(.test(server.url, token: true), id: "items/\"db\"").fetch()
            #expect(found.username == "app" && found.password?.exposed == "p\"w")
            let request = try #require(server.requests.first)
            #expect(server.requests.count == 1 && request.method == "POST" && request.path == "/")
            #expect(request.body == #"{"SecretId":"items\/\"db\""}"# || request.body == #"{"SecretId":"items/\"db\""}"#)
            #expect(request.headers["x-amz-target"] == "secretsmanager.GetSecretValue")
            #expect(request.headers["content-type"] == "application/x-amz-json-1.1")
            #expect(request.headers["x-amz-security-token"] == keys.token)
            let authorization = try #require(request.headers["authorization"])
            #expect(authorization.contains("Credential=\(keys.id)/"))
            for name in ["content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target"] {
                #expect(authorization.contains(name), "\(name) is signed")
            }
        }
    }

    @Test func `sends no token without one`() throws {
        try LoopbackServer { _ in .answer(200, envelope(secret)) }.run { server in
            _ = try manager(.test(server.url)).fetch()
            #expect(server.requests[0].headers["x-amz-security-token"] == nil)
        }
    }

    @Test(
        arguments: [
            (400, fault("ThrottlingException"), .throttled), (429, "", .throttled),
            (500, "", .unavailable(status: 500)),
            (500, fault("InternalServiceError"), .unavailable(status: 500)), (503, "<html>", .unavailable(status: 503)),
        ] as [(Int, String, SecretError)])
    func `a transient error is retried after a pause`(status: Int, body: String, error: SecretError) throws {
        let script = Script<LoopbackServer.Reply>(
            .answer(status, body), .answer(status, body), .answer(200, envelope(secret)))
        let time = TestTime(fraction: 0.5)
        let events = Log<SecretEvent>()
        try LoopbackServer { _ in script.next() }.run { server in
            _ = try manager(.test(server.url), time: time, observe: { events.note($0) }).fetch()
            #expect(server.requests.count == 3)
        }
        #expect(time.sleeps == [250, 500])
        #expect(
            events.entries == [
                .retrying(error, attempt: 1, pause: .milliseconds(250)),
                .retrying(error, attempt: 2, pause: .milliseconds(500)),
            ])
    }

    @Test func `gives up after the maximum number of attempts`() throws {
        try LoopbackServer { _ in .answer(500) }.run { server in
            #expect(throws: SecretError.unavailable(status: 500)) { try manager(.test(server.url)).fetch() }
            #expect(server.requests.count == Retry.attemptLimit)
        }
    }

    @Test func `an unreachable server is retried`() {
        let time = TestTime(fraction: 0.5)
        #expect(throws: SecretError.transfer(.unreachable(host: "127.0.0.1"))) {
            try manager(.test(nobody), time: time).fetch()
        }
        #expect(time.sleeps.count == Retry.attemptLimit - 1)
    }

    @Test(
        arguments: [
            (fault("AccessDeniedException", "User: u is not authorized"), .accessDenied("User: u is not authorized")),
            (#"{"__type":"AccessDeniedException","Message":"Capital"}"#, .accessDenied("Capital")),
            (fault("com.amazonaws.secretsmanager#ResourceNotFoundException"), .notFound(region: "eu-west-1")),
            (fault("DecryptionFailure", "KMS"), .decryptionFailed("KMS")),
            (fault("InvalidRequestException", "marked for deletion"), .invalidRequest("marked for deletion")),
            (fault("InvalidParameterException", "id"), .invalidRequest("id")),
            (fault("UnrecognizedClientException"), .credentialsRefused(code: "UnrecognizedClientException")),
            (fault("InvalidSignatureException"), .credentialsRefused(code: "InvalidSignatureException")),
            (fault("SomethingNew"), .refused(status: 400, code: "SomethingNew")), ("", .refused(status: 400, code: "")),
        ] as [(String, SecretError)])
    func `a permanent error is thrown at once`(body: String, error: SecretError) throws {
        let time = TestTime()
        try LoopbackServer { _ in .answer(400, body) }.run { server in
            #expect(throws: error) { try manager(.test(server.url), time: time).fetch() }
            #expect(server.requests.count == 1 && time.sleeps.isEmpty)
        }
    }

    @Test func `an unreachable metadata service is not retried`() {
        let time = TestTime()
        var environment = Environment.instance(nobody)
        environment.region = "eu-west-1"
        #expect(throws: SecretError.credentials(.instance(.transfer(.unreachable(host: "127.0.0.1"))))) {
            try manager(environment, time: time).fetch()
        }
        #expect(time.sleeps.isEmpty)
    }

    @Test(arguments: [401, 403]) func `a refusal in another error format is recognized`(status: Int) throws {
        try LoopbackServer { _ in .answer(status, "<ErrorResponse/>") }.run { server in
            let error = #expect(throws: SecretError.self) { try manager(.test(server.url)).fetch() }
            #expect(error.map { "\($0)".hasPrefix("access denied: status \(status)") } == true)
            #expect(server.requests.count == 1)
        }
    }

    @Test(
        arguments: [
            ("garbage", .malformedAnswer), ("", .malformedAnswer), ("[]", .malformedAnswer),
            ("{}", .unusable(.noJSONObject)), (#"{"SecretBinary":"aGk="}"#, .unusable(.noJSONObject)),
            (envelope("hunter2"), .unusable(.noJSONObject)), (envelope(#"{"username":"u"}"#), .unusable(.noPassword)),
            (
                String(repeating: "x", count: Transfer.bodyByteLimit + 1),
                .transfer(.tooLarge(host: "127.0.0.1", limit: Transfer.bodyByteLimit))
            ),
        ] as [(String, SecretError)])
    func `a response without a database secret is an error`(body: String, error: SecretError) throws {
        try LoopbackServer { _ in .answer(200, body) }.run { server in
            #expect(throws: error) { try manager(.test(server.url)).fetch() }
            #expect(server.requests.count == 1)
        }
    }

    @Test func `expired credentials are fetched again`() throws {
        let script = Script<LoopbackServer.Reply>(
            .answer(400, fault("ExpiredTokenException")), .answer(200, envelope(secret)))
        let metadata = StrictMetadata()
        try LoopbackServer { $0.path == "/" ? script.next() : metadata.reply(to: $0) }.run { server in
            var environment = Environment.instance(server.url)
            environment.region = "eu-west-1"
            environment.secretsManagerEndpointURL = server.url
            _ = try manager(environment).fetch()
            #expect(server.requests.count { $0.path.hasSuffix("items-role") } == 2)
        }
    }

    @Test func `no error contains what AWS quotes from the request`() throws {
        let body = fault("InvalidSignatureException", "The Canonical String should have been \(keys.token)")
        try LoopbackServer { _ in .answer(403, body) }.run { server in
            let error = #expect(throws: SecretError.self) { try manager(.test(server.url, token: true)).fetch() }
            #expect(error.map { renderings(of: $0).contains(keys.token) } == false)
        }
    }

    @Test func `a refusal's message is shortened to one line`() throws {
        let body = fault("AccessDeniedException", #"a\nb"# + String(repeating: "c", count: 1000))
        try LoopbackServer { _ in .answer(400, body) }.run { server in
            let error = #expect(throws: SecretError.self) { try manager(.test(server.url)).fetch() }
            let text = error.map { "\($0)" } ?? ""
            #expect(text.hasPrefix("access denied: a b") && text.count < 400 && text.hasSuffix("…"))
        }
    }
}

struct SecretsManagerEndpointTests {
    private func manager(
        _ id: String = "items/db", region: String? = nil, all: String? = nil, own: String? = nil
    ) -> SecretsManager {
        var environment = Environment()
        environment.region = region
        environment.endpointURL = all
        environment.secretsManagerEndpointURL = own
        environment.isMetadataServiceDisabled = true
        return SecretsManager(secretID: id, environment: environment)
    }

    @Test(arguments: [
        ("eu-west-1", "https://secretsmanager.eu-west-1.amazonaws.com"),
        ("us-gov-west-1", "https://secretsmanager.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "https://secretsmanager.cn-north-1.amazonaws.com.cn"),
    ])
    func `is the region's endpoint`(region: String, endpoint: String) throws {
        #expect(try manager(region: region).endpoint() == endpoint)
    }

    @Test func `is the service's variable, else the general one`() throws {
        #expect(try manager(all: "http://all", own: "http://own").endpoint() == "http://own")
        #expect(try manager(all: "http://all").endpoint() == "http://all")
    }

    @Test func `an ARN's region takes precedence over the variable`() throws {
        let id = "arn:aws:secretsmanager:us-east-2:123456789012:secret:items/db-AbCdEf"
        #expect(try manager(id, region: "eu-west-1").region() == "us-east-2")
    }

    @Test(arguments: [
        "arn:", "arn:aws:s3:::bucket", "arn:aws:secretsmanager::1:secret:x",
        "arn:aws:secretsmanager:eu-west-1:1:secret:",
        "arn:aws:secretsmanager:eu-west-1:1:rule:x",
    ])
    func `an ARN of another resource is rejected`(id: String) {
        #expect(throws: SecretError.invalidARN) { try manager(id, region: "eu-west-1").region() }
    }

    @Test(arguments: ["eu west", "x.example.com/", "EU-WEST-1", "a:b", ""])
    func `a region that is not valid in a host name is rejected`(region: String) {
        #expect(throws: SecretError.invalidRegion) { try manager(region: region).region() }
    }

    @Test func `without a region the error names the variable`() {
        let error = #expect(throws: SecretError.noRegion(nil)) { try manager().region() }
        #expect(error.map { "\($0)".contains("AWS_REGION") } == true)
    }

    @Test func `the instance's region is used, and read once`() throws {
        try LoopbackServer(StrictMetadata().reply).run { (server) throws in
            let manager = SecretsManager(secretID: "items/db", environment: .instance(server.url))
            #expect(try manager.region() == "eu-west-1")
            #expect(try manager.region() == "eu-west-1")
            #expect(server.requests.map(\.path) == ["/latest/api/token", "/latest/meta-data/placement/region"])
        }
    }
}

struct RetryTests {
    @Test func `a pause is random, with a limit that doubles`() {
        let pauses = [0, 0.5, 0.999].map { fraction in
            (1..<Retry.attemptLimit).map { Retry.pause(afterAttempt: $0, fraction: fraction).milliseconds }
        }
        #expect(pauses == [[0, 0], [250, 500], [499, 999]])
    }
}
