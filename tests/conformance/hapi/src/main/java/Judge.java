import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import ca.uhn.fhir.validation.SingleValidationMessage;
import com.google.gson.Gson;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.UnknownCodeSystemWarningValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;

/**
 * One resource a line on standard input; one {"errors": [{"id", "at", "text"}]} a line on standard output.
 * Only R4's core definitions are known: profiles that a resource claims are not looked at, nor are code systems outside R4.
 */
public class Judge {
  public static void main(String[] arguments) throws Exception {
    PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    System.setOut(System.err);
    FhirValidator validator = validator();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      answers.println(new Gson().toJson(Map.of("errors", errors(validator, line))));
    }
  }

  static FhirValidator validator() {
    FhirContext context = FhirContext.forR4();
    UnknownCodeSystemWarningValidationSupport unknown = new UnknownCodeSystemWarningValidationSupport(context);
    FhirInstanceValidator instance = new FhirInstanceValidator(new ValidationSupportChain(
        new DefaultProfileValidationSupport(context),
        new CommonCodeSystemsTerminologyService(context),
        new InMemoryTerminologyServerValidationSupport(context),
        unknown));
    instance.setErrorForUnknownProfiles(false);
    instance.setAnyExtensionsAllowed(true);
    return context.newValidator().registerValidatorModule(instance);
  }

  static List<Map<String, String>> errors(FhirValidator validator, String text) {
    List<Map<String, String>> errors = new ArrayList<>();
    try {
      for (SingleValidationMessage message : validator.validateWithResult(text).getMessages()) {
        if (message.getSeverity().compareTo(ResultSeverityEnum.ERROR) >= 0) {
          errors.add(error(message.getMessageId(), message.getLocationString(), message.getMessage()));
        }
      }
    } catch (RuntimeException | StackOverflowError thrown) {
      errors.add(error("thrown", "", thrown.toString()));
    }
    return errors;
  }

  static Map<String, String> error(String id, String at, String text) {
    return Map.of("id", id == null ? "" : id, "at", at == null ? "" : at, "text", text == null ? "" : text);
  }
}
