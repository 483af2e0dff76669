import FoundationEssentials

/// AWS's identifier of the machine or task that runs this process.
public enum InstanceIdentity {
    /// Limit of each of at most three answers: both services are on the machine itself, and the start waits for them.
    private static let timeout = Duration.milliseconds(600)

    /// Longer than any id of AWS; every log line has it.
    private static let byteLimit = 64

    /// Files in which the firmware names the manufacturer: `Amazon EC2` on every instance of the Nitro system; on older
    /// instances the version of the hypervisor, which contains `amazon` (EC2 User Guide, "Identify EC2 instances").
    private static let makerFiles = ["/sys/class/dmi/id/sys_vendor", "/sys/class/dmi/id/bios_version"]

    /// The instance's id by IMDSv2, else the id of the ECS task, else nil. Takes at most two seconds. On a machine that
    /// is not Amazon's it sends no request, unless a variable names the service, and takes no time.
    public static func discover(_ environment: Environment) -> String? {
        if environment.metadataServiceEndpoint != nil || isAmazons(makerFiles), let id = instanceID(environment),
            isLabel(id)
        {
            return id
        }
        if let id = taskID(environment), isLabel(id) { return id }
        return nil
    }

    static func isAmazons(_ files: [String]) -> Bool {
        files.contains { file in
            guard let text = FileManager.default.contents(atPath: file) else { return false }
            return String(decoding: text, as: UTF8.self).lowercased().contains("amazon")
        }
    }

    private static func instanceID(_ environment: Environment) -> String? {
        let metadata = InstanceMetadata(environment, attemptLimit: 1, timeout: timeout)
        return try? metadata?.open().read("instance-id")
    }

    /// The last part of the task's ARN (ECS Developer Guide, "Task metadata endpoint version 4").
    private static func taskID(_ environment: Environment) -> String? {
        struct Task: Decodable {
            let arn: String

            enum CodingKeys: String, CodingKey {
                case arn = "TaskARN"
            }
        }
        guard let uri = environment.ecsMetadataURI else { return nil }
        let request = Transfer.Request(
            method: .get, url: uri + "/task", isLocal: true, connectTimeout: timeout,
            timeout: timeout)
        let transfer = Transfer(certificateBundle: environment.certificateBundle)
        guard let answer = try? transfer.perform(request), answer.status == 200,
            let task = try? JSONDecoder().decode(Task.self, from: Data(answer.body))
        else { return nil }
        return task.arn.split(separator: "/").last.map(String.init)
    }

    private static func isLabel(_ text: String) -> Bool {
        1...byteLimit ~= text.utf8.count
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
                default: false
                }
            }
    }
}
