// The amount is a decimal: cents are counted, so that nothing is lost to binary fractions.
exports = function(amount, country) {
  const rates = context.values.get("vatRates");
  if (!(country in rates)) {
    throw new RangeError(`there is no VAT rate for ${country}`);
  }
  const cents = Math.round(Number(amount.toString()) * 100);
  return BSON.Decimal128.fromString((Math.round(cents * rates[country]) / 100).toFixed(2));
};
